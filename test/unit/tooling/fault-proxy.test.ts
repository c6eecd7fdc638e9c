import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { distance, type Path, startFaultProxy } from '../../support/fault-proxy/start.mjs';

const MIB = 1 << 20;

/** Of what has a latest time: a busy machine can only add to it. */
const timed = { retry: 3 };

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

async function read(socket: Socket, length: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    pieces.push(piece);
    if (Buffer.concat(pieces).length >= length) break;
  }
  return Buffer.concat(pieces);
}

test('a distance delays the handshake and each way, and lets the bandwidth be', timed, async () => {
  const socket = await connectBy(distance(100));
  const startMs = performance.now();
  socket.write('first');
  expect(String(await read(socket, 5))).toBe('first');
  const firstMs = performance.now() - startMs;
  const sent = Buffer.alloc(8 * MIB, 'x');
  socket.write(sent);
  const got = await read(socket, sent.length);
  const allMs = performance.now() - startMs - firstMs;
  expect(got.equals(sent)).toBe(true);
  expect(Math.floor(firstMs / 100)).toBe(2);
  expect(allMs).toBeGreaterThanOrEqual(100);
  // Each of at least 128 pieces waits for its own time, not for that of those before.
  expect(allMs).toBeLessThan(2_000);
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

test('a rate bounds what passes in a second', timed, async () => {
  const socket = await connectBy({ toServer: { bytesPerSecond: 200_000 } });
  const startMs = performance.now();
  socket.write(Buffer.alloc(100_000));
  await read(socket, 100_000);
  const tookMs = performance.now() - startMs;
  expect(tookMs).toBeGreaterThan(450);
  expect(tookMs).toBeLessThan(2_000);
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
