import { afterEach, describe, expect, it, vi } from 'vitest';
import { Instance } from '../../../src/engine/instance.js';
import { client, serve, type TestClient, url } from './support/servers.js';

const REQUESTS = 20;

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
    await inTurn(tested, url(server), REQUESTS);
    for (const timer of timers) expect(timer.mock.calls.length).toBeLessThan(REQUESTS / 4);
    const count = (name: string) => calls.mock.calls.filter(it => it[0] === name).length;
    expect(count('http_request_new')).toBe(REQUESTS);
    // Node's h2 server sends head and body one after the other.
    const pieces = protocol === 'h2' ? 2 : 1;
    expect(count('http_response_pull')).toBeLessThanOrEqual(pieces * REQUESTS);
    expect(count('http_connection_take')).toBeLessThanOrEqual(pieces * REQUESTS);
    expect(count('http_advance')).toBeLessThan(REQUESTS / 4);
    tested.close();
  });
});
