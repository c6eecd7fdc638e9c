import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { Instance } from '../../../src/engine/instance.js';
import { Stage } from './support/servers.js';

const MESSAGES = 20;
const stage = new Stage();

afterEach(() => void vi.restoreAllMocks());
afterAll(() => stage.close());

it('a small message takes one call into the engine each way, one read of a stream and no timer', async () => {
  const { server, url } = await stage.serveWs({ perMessageDeflate: false });
  server.on('connection', socket => socket.on('message', data => socket.send(data)));
  const socket = new (await stage.sharedClient()).WebSocket(url);
  await new Promise(resolve => socket.addEventListener('open', resolve, { once: true }));
  const answered = async () => {
    const answer = new Promise(resolve => socket.addEventListener('message', resolve, { once: true }));
    socket.send('x'.repeat(100));
    await answer;
  };
  await answered();
  const calls = vi.spyOn(Instance.prototype, 'call');
  const reads = vi.spyOn(ReadableStreamDefaultReader.prototype, 'read');
  const timers = vi.spyOn(globalThis, 'setTimeout');
  for (let i = 0; i < MESSAGES; i++) await answered();
  const names = calls.mock.calls.map(([name]) => name);
  expect(names.filter(it => it === 'records_seal').length).toBe(MESSAGES);
  expect(names.filter(it => it === 'records_open').length).toBe(MESSAGES);
  expect(names.length).toBe(2 * MESSAGES);
  expect(reads.mock.calls.length).toBe(MESSAGES);
  expect(timers).not.toHaveBeenCalled();
  socket.close();
});
