import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { Instance } from '../../../src/engine/instance.js';
import type { MtlsClient, Tunnel } from '../../../src/index.js';
import { tcpTunnel } from '../../support/tcp-tunnel.js';
import { copiedBytes } from './support/copied-bytes.js';
import { opened, Stage } from './support/servers.js';

const MESSAGES = 20;
const LARGE_BYTES = 65_536;
const stage = new Stage();

afterEach(() => void vi.restoreAllMocks());
afterAll(() => stage.close());

afterEach(() => stage.reset());

/** A socket to a server that says everything again, and a way to have that done. */
async function echo(client: MtlsClient) {
  const { server, url } = await stage.serveWs({ perMessageDeflate: false });
  server.on('connection', it => it.on('message', data => it.send(data)));
  const socket = await opened(new client.WebSocket(url));
  const answered = async (bytes: number) => {
    const answer = new Promise(resolve => socket.addEventListener('message', resolve, { once: true }));
    socket.send(new Uint8Array(bytes));
    await answer;
  };
  return { socket, answered };
}

it('a small message takes one call into the engine each way, one read of a stream and no timer', async () => {
  const { socket, answered } = await echo(await stage.sharedClient());
  await answered(100);
  const calls = vi.spyOn(Instance.prototype, 'call');
  const reads = vi.spyOn(ReadableStreamDefaultReader.prototype, 'read');
  const timers = vi.spyOn(globalThis, 'setTimeout');
  for (let i = 0; i < MESSAGES; i++) await answered(100);
  const names = calls.mock.calls.map(([name]) => name);
  expect(names.filter(it => it === 'records_seal').length).toBe(MESSAGES);
  expect(names.filter(it => it === 'records_open').length).toBe(MESSAGES);
  expect(names.length).toBe(2 * MESSAGES);
  expect(reads.mock.calls.length).toBe(MESSAGES);
  expect(timers).not.toHaveBeenCalled();
  socket.close();
});

it('a message of 64 KiB takes four calls of WebCrypto each way, and is copied once where it comes', async () => {
  const { socket, answered } = await echo(await stage.sharedClient());
  await answered(LARGE_BYTES);
  const encrypt = vi.spyOn(crypto.subtle, 'encrypt');
  const decrypt = vi.spyOn(crypto.subtle, 'decrypt');
  const copied = copiedBytes();
  for (let i = 0; i < MESSAGES; i++) await answered(LARGE_BYTES);
  vi.restoreAllMocks();
  expect(encrypt).toHaveBeenCalledTimes(4 * MESSAGES);
  expect(decrypt).toHaveBeenCalledTimes(4 * MESSAGES);
  // Out: for `send`, into its frame, into the records' contents, into one message of the tunnel, for its stream. In: parts of records that
  // two chunks share, to the page. And once by the server.
  expect(copied() / (MESSAGES * LARGE_BYTES)).toBeLessThan(8);
  socket.close();
});

/** A tunnel that tells when a chunk leaves, and when one comes. */
function watched(onChunk: (direction: 'out' | 'in') => void): Tunnel {
  return {
    async connect(address) {
      const { readable, writable } = await tcpTunnel.connect(address);
      const reader = readable.getReader();
      const writer = writable.getWriter();
      return {
        readable: new ReadableStream({
          async pull(controller) {
            const { done, value } = await reader.read();
            if (done) return controller.close();
            onChunk('in');
            controller.enqueue(value);
          },
          cancel: reason => reader.cancel(reason),
        }),
        writable: new WritableStream({
          write(chunk) {
            onChunk('out');
            return writer.write(chunk);
          },
          close: () => writer.close(),
          abort: reason => writer.abort(reason),
        }),
      };
    },
  };
}

it('a small message leaves in the task that sends it, and is told in the task in which it came', async () => {
  const seen: string[] = [];
  // Behind the microtasks of a task.
  const note = (what: string) => {
    if (seen.length === 0) setImmediate(() => seen.push('next task'));
    seen.push(what);
  };
  const { socket, answered } = await echo(await stage.client({ tunnel: watched(note) }));
  socket.addEventListener('message', () => note('message'));
  await answered(100);
  for (let i = 0; i < MESSAGES; i++) {
    await new Promise(resolve => setImmediate(resolve));
    seen.length = 0;
    note('send');
    const answer = answered(100);
    await new Promise(resolve => setImmediate(resolve));
    expect(seen).toEqual(['send', 'out', 'next task']);
    seen.length = 0;
    await answer;
    await new Promise(resolve => setImmediate(resolve));
    expect(seen).toEqual(['in', 'message', 'next task']);
  }
  socket.close();
});
