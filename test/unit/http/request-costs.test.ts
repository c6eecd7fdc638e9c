import { afterEach, describe, expect, it, vi } from 'vitest';
import { Instance } from '../../../src/engine/instance.js';
import { client, serve, type TestClient, url } from './support/servers.js';

const REQUESTS = 20;
const UPLOAD_BYTES = 8_000_000;
/** What fits into a message of the tunnel. */
const MESSAGE_BYTES = 15 * 16_384;

afterEach(() => void vi.restoreAllMocks());

async function inTurn(tested: TestClient, address: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await (await tested.fetch(address)).text();
}

describe.each(['h2', 'http/1.1'] as const)('small requests one after the other over %s', protocol => {
  it('set no timers, and call the engine once to begin, to send and to read', async () => {
    const server = await serve(protocol, (_, response) => response.end('ok'));
    const tested = await client(protocol);
    await inTurn(tested, url(server), 2);
    const timers = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'setInterval')];
    const calls = vi.spyOn(Instance.prototype, 'call');
    const microtasks = vi.spyOn(globalThis, 'queueMicrotask');
    await inTurn(tested, url(server), REQUESTS);
    for (const timer of timers) expect(timer.mock.calls.length).toBeLessThan(REQUESTS / 4);
    const count = (name: string) => calls.mock.calls.filter(it => it[0] === name).length;
    // Node's h2 server sends head and body one after the other.
    const pieces = protocol === 'h2' ? 2 : 1;
    // A connection tells several changes in a turn, which are looked at once: at the request, and at the end of its response.
    expect(microtasks.mock.calls.length).toBeLessThanOrEqual(pieces * REQUESTS + REQUESTS);
    expect(count('http_request_new')).toBe(REQUESTS);
    expect(count('http_response_pull')).toBeLessThanOrEqual(pieces * REQUESTS);
    expect(count('http_connection_take')).toBeLessThanOrEqual(pieces * REQUESTS);
    expect(count('http_advance')).toBeLessThan(REQUESTS / 4);
    tested.close();
  });
});

function chunksOf(length: number): ReadableStream<Uint8Array> {
  let left = UPLOAD_BYTES;
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      left -= length;
      controller.enqueue(new Uint8Array(length));
    },
  });
}

describe.each(['h2', 'http/1.1'] as const)('an upload over %s', protocol => {
  const bodies = {
    'of bytes': () => new Uint8Array(UPLOAD_BYTES),
    'of chunks of 1,000 bytes': () => chunksOf(1_000),
    'of chunks of 64,000 bytes': () => chunksOf(64_000),
  };

  it.each(Object.entries(bodies))(
    '%s calls the engine once for each message of the tunnel',
    async (_, body) => {
      const server = await serve(protocol, async (request, response) => {
        let bytes = 0;
        for await (const chunk of request) bytes += chunk.length;
        response.end(`${bytes}`);
      });
      const tested = await client(protocol);
      await inTurn(tested, url(server), 1);
      const calls = vi.spyOn(Instance.prototype, 'call');
      const response = await tested.fetch(url(server), { method: 'POST', body: body() });
      expect(await response.text()).toBe(`${UPLOAD_BYTES}`);
      const sent = calls.mock.calls.filter(it => it[0] === 'http_request_send');
      expect(sent.length).toBeLessThanOrEqual(1.1 * (UPLOAD_BYTES / MESSAGE_BYTES) + 2);
      tested.close();
    },
  );
});
