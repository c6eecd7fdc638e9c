import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { client, rejection, serve, type TestClient, type TestServer, until, url } from './support/servers.js';

const REQUESTS = 2_000;
/**
 * The engine's memory grows by whole pages of 64 KiB, for what was ever needed at the same time. Such growth ends. 33 bytes of each
 * request left behind would make it grow every time.
 */
const MOST_RUNS = 5;

let tested: TestClient;
let server: TestServer;

/** One request of each fate; it resolves when nothing of it is left to do. */
const fates: ((path: string) => Promise<unknown>)[] = [
  async path => (await tested.fetch(url(server, path))).text(),
  async path => (await tested.fetch(url(server, path), { method: 'POST', body: 'x'.repeat(10_000) })).text(),
  async path => (await tested.fetch(url(server, path), { method: 'HEAD' })).text(),
  async path => (await tested.fetch(url(server, `/big${path}`))).body?.cancel(),
  async path => rejection(tested.fetch(url(server, `/never${path}`), { signal: AbortSignal.timeout(5) })),
  async path => {
    const controller = new AbortController();
    const response = await tested.fetch(url(server, `/big${path}`), { signal: controller.signal });
    controller.abort();
    return rejection(response.text());
  },
  async path => rejection(tested.fetch(url(server, `/reset${path}`), { method: 'POST' })),
  async path => rejection((await tested.fetch(url(server, `/half${path}`))).text()),
  async path => {
    const body = new ReadableStream({ pull: controller => controller.error(new Error('disk')) });
    return rejection(tested.fetch(url(server, path), { method: 'POST', body }));
  },
  async path => {
    const body = new ReadableStream<Uint8Array>({ pull: it => it.enqueue(new Uint8Array(1_000)) });
    return (await tested.fetch(url(server, `/413${path}`), { method: 'POST', body })).text();
  },
];

/** Over h2 the stream, over HTTP/1.1 the connection. */
function reset(request: IncomingMessage, response: ServerResponse): void {
  if ('stream' in response) (response.stream as ServerHttp2Stream).close(2);
  else request.socket.destroy();
}

describe.each(['h2', 'http/1.1'] as const)('over %s', protocol => {
  it(`${REQUESTS} requests that succeed, fail and are aborted leave nothing behind`, {
    timeout: 300_000,
  }, async () => {
    server = await serve(protocol, (request, response) => {
      request.on('error', () => {});
      const [, kind = ''] = /^\/([a-z0-9]*)/.exec(request.url ?? '') ?? [];
      if (kind === 'never') return;
      if (kind === '413') return void response.writeHead(413).end('too large');
      request.resume();
      if (kind === 'reset') reset(request, response);
      else if (kind === 'half') response.write('half', () => setTimeout(() => response.destroy(), 1));
      else response.end(kind === 'big' ? Buffer.alloc(300_000) : 'ok');
    });
    tested = await client(protocol);
    const run = async (count: number) => {
      for (let done = 0; done < count; done += fates.length)
        await Promise.all(fates.map((fate, at) => fate(`?${done + at}`).catch(() => {})));
    };
    await run(REQUESTS / 4);
    let grownBytes = Number.POSITIVE_INFINITY;
    for (let runs = 0; grownBytes > 0 && runs < MOST_RUNS; runs++) {
      const before = tested.engine.memoryBytes;
      await run(REQUESTS);
      grownBytes = tested.engine.memoryBytes - before;
    }
    tested.pool.closeIdle();
    await until(() => tested.engine.openCount === 0 && tested.connects.open === 0);
    expect(grownBytes).toBe(0);
  });
});
