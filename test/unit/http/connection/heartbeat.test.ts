import { describe, expect, it } from 'vitest';
import { MtlsError } from '../../../../src/errors.js';
import { END_STREAM, Frame, frame, headers, serveFrames } from '../support/h2-frames.js';
import {
  client,
  rejection,
  serve,
  sleep,
  type TestClient,
  type TestServer,
  url,
} from '../support/servers.js';

let tested: TestClient;
let server: TestServer;

describe('a silent h2 server', () => {
  it('is pinged, and given up when it does not answer', { timeout: 20_000 }, async () => {
    server = await serveFrames(() => {});
    tested = await client('h2', { pingIntervalMs: 1_000, pingTimeoutMs: 1_000 });
    const startedMs = performance.now();
    const error = await rejection(tested.fetch(url(server), { method: 'POST', body: 'once' }));
    expect(error).toMatchObject({ code: 'ERR_HTTP_TIMEOUT', cause: { code: 'ERR_HTTP_TIMEOUT' } });
    expect(error.cause).toBeInstanceOf(MtlsError);
    expect(performance.now() - startedMs).toBeGreaterThan(1_500);
    expect(server.accepted).toBe(1);
  });

  it('is left for another connection by what may be repeated', { timeout: 20_000 }, async () => {
    let asked = 0;
    server = await serveFrames((socket, stream) => {
      if (++asked === 2) return;
      socket.write(
        Buffer.concat([headers(stream, [[':status', '200']]), frame([Frame.data, END_STREAM], stream)]),
      );
    });
    tested = await client('h2', { pingIntervalMs: 1_000, pingTimeoutMs: 1_000 });
    await (await tested.fetch(url(server))).text();
    expect((await tested.fetch(url(server))).status).toBe(200);
    expect([asked, tested.connects.count]).toEqual([3, 2]);
  });

  it('is pinged with the first request after a pause', { timeout: 20_000 }, async () => {
    const ok = (stream: number) =>
      Buffer.concat([headers(stream, [[':status', '200']]), frame([Frame.data, END_STREAM], stream)]);
    let pings = 0;
    server = await serveFrames(
      (socket, stream) => {
        if (stream === 1) socket.write(ok(stream));
      },
      socket => {
        pings++;
        socket.write(ok(3));
      },
    );
    tested = await client('h2', { pingIntervalMs: 3_000 });
    await (await tested.fetch(url(server))).text();
    await sleep(3_100);
    const startedMs = performance.now();
    expect((await tested.fetch(url(server))).status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(2_500);
    expect(pings).toBe(1);
  });

  it('is waited for as long as it answers pings', { timeout: 20_000 }, async () => {
    server = await serve('h2', (_request, response) => void setTimeout(() => response.end('late'), 4_500));
    tested = await client('h2', { pingIntervalMs: 1_000, pingTimeoutMs: 1_000 });
    expect(await (await tested.fetch(url(server))).text()).toBe('late');
  });
});
