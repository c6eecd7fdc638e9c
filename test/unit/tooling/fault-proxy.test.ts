import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { FaultProxy } from '../../support/fault-proxy/proxy.mjs';
import { distance, type Path, startFaultProxy } from '../../support/fault-proxy/start.mjs';

const MIB = 1 << 20;

let server: Server;
let accepted: Socket[];
let client: Socket | undefined;
let proxy: Awaited<ReturnType<typeof startFaultProxy>> | undefined;

beforeEach(async () => {
  accepted = [];
  server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {});
    accepted.push(socket);
    socket.pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterEach(async () => {
  client?.destroy();
  await proxy?.stop();
  proxy = undefined;
  for (const socket of accepted) socket.destroy();
  server.close();
});

/** Connects to an echo behind the path. */
async function connectBy(path: Path): Promise<Socket> {
  proxy = await startFaultProxy((server.address() as AddressInfo).port, path);
  client = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(client, 'connect');
  while (accepted.length === 0) await delay(5);
  return client;
}

/** The same by a proxy in this process, whose clock goes on when it is told to. */
async function connectByOwnClock(path: Path) {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  const own = new FaultProxy((server.address() as AddressInfo).port, path);
  onTestFinished(() => {
    own.close();
    vi.useRealTimers();
  });
  const socket = connect({ port: await own.listen(), host: '127.0.0.1', noDelay: true });
  client = socket;
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await delay(5);
  };
  await until(() => accepted.length > 0);
  return {
    socket,
    own,
    /** Waits for all bytes of a direction; the last one passes after so long, and not before. */
    async passes(way: 'toServer' | 'toClient', { bytes, afterMs }: { bytes: number; afterMs: number }) {
      await until(() => own.takenBytes[way] === bytes);
      vi.advanceTimersByTime(afterMs - 1);
      await delay(20);
      expect(own.passedBytes[way]).toBeLessThan(bytes);
      vi.advanceTimersByTime(1);
      await until(() => own.passedBytes[way] === bytes);
    },
  };
}

async function read(socket: Socket, length: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let got = 0;
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    pieces.push(piece);
    got += piece.length;
    if (got >= length) break;
  }
  return Buffer.concat(pieces);
}

test('a distance delays the handshake and each way, and lets the bandwidth be', async () => {
  const { socket, own, passes } = await connectByOwnClock(distance(100));
  socket.write('first');
  // One round trip for the handshake, and half a one.
  await passes('toServer', { bytes: 5, afterMs: 150 });
  await passes('toClient', { bytes: 5, afterMs: 50 });
  expect(String(await read(socket, 5))).toBe('first');
  const sent = Buffer.alloc(8 * MIB, 'x');
  socket.write(sent);
  const all = { bytes: 5 + sent.length, afterMs: 50 };
  await passes('toServer', all);
  const got = read(socket, sent.length);
  await passes('toClient', all);
  expect((await got).equals(sent)).toBe(true);
  expect(own.connections).toBe(1);
});

test('jitter and loss delay bytes and keep their order', async () => {
  const faults = { delayMs: 2, jitterMs: 20, lossRate: 0.02, recoveryMs: 50 };
  const socket = await connectBy({ toServer: faults, toClient: faults });
  const sent = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));
  const startMs = performance.now();
  for (let at = 0; at < sent.length; at += 10_000) socket.write(sent.subarray(at, at + 10_000));
  const got = await read(socket, sent.length);
  expect(got.equals(sent)).toBe(true);
  // 137 segments each way, and the same numbers in each run.
  expect(performance.now() - startMs).toBeGreaterThan(100);
});

test('a rate bounds what passes in a second', async () => {
  const { socket, passes } = await connectByOwnClock({ toServer: { bytesPerSecond: 200_000 } });
  socket.write(Buffer.alloc(100_000));
  await passes('toServer', { bytes: 100_000, afterMs: 500 });
});

test('single bytes arrive as pieces', async () => {
  const socket = await connectBy({ toClient: { pieceBytes: 1 } });
  const lengths: number[] = [];
  socket.on('data', piece => lengths.push(piece.length));
  // Pieces that meet a busy reader come to it as one: then more are sent.
  const pieces = () => {
    socket.write('x'.repeat(300));
    return lengths.length;
  };
  await expect.poll(pieces).toBeGreaterThan(50);
});

test('a cut by an end ends both directions at its offset', async () => {
  const socket = await connectBy({ toClient: { cut: { afterBytes: 1000, how: 'fin' } } });
  socket.write(Buffer.alloc(5000));
  expect((await read(socket, Infinity)).length).toBe(1000);
  if (!accepted[0]?.readableEnded) await once(accepted[0] as Socket, 'end');
});

test('a cut by a reset resets both directions', async () => {
  const socket = await connectBy({ toClient: { cut: { afterBytes: 1000, how: 'rst' } } });
  const failed = Promise.all([once(socket, 'error'), once(accepted[0] as Socket, 'error')]);
  socket.write(Buffer.alloc(5000));
  const codes = (await failed).map(([error]) => (error as NodeJS.ErrnoException).code);
  expect(codes).toEqual(['ECONNRESET', 'ECONNRESET']);
});

test('half an end leaves the other direction open', async () => {
  const socket = await connectBy({ toClient: { cut: { afterBytes: 10, how: 'half-fin' } } });
  socket.write('x'.repeat(10));
  socket.resume();
  await once(socket, 'end');
  const later = once(accepted[0] as Socket, 'data');
  socket.write('more');
  expect(String(await later)).toContain('more');
});

test('a black hole takes bytes and ends, and passes nothing', async () => {
  const socket = await connectBy({ toServer: { silentAfterBytes: 4 } });
  socket.write('1234');
  expect(String(await read(socket, 4))).toBe('1234');
  socket.end('5678');
  await delay(100);
  expect((await proxy?.traffic())?.passedBytes).toEqual({ toServer: 4, toClient: 4 });
  expect(accepted[0]?.readableEnded).toBe(false);
});

test('a path can change under an open connection, and all connections can be cut', async () => {
  const socket = await connectBy({ toServer: { silentAfterBytes: 0 } });
  socket.write('lost');
  await delay(50);
  await proxy?.set({});
  socket.write('found');
  expect(String(await read(socket, 5))).toBe('found');
  const failed = once(socket, 'error');
  await proxy?.cutAll('rst');
  expect(((await failed)[0] as NodeJS.ErrnoException).code).toBe('ECONNRESET');
  expect((await proxy?.traffic())?.connections).toBe(1);
});
