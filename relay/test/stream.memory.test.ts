import { createHash, type Hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { type StartCommand, useBuiltCommand } from './support/built-command.js';
import { connect, ORIGIN, sleep, startTarget, tunnelTo, until } from './support/harness.js';

const MiB = 1024 * 1024;
const TOTAL_BYTES = 300 * MiB;
const WINDOW_BYTES = MiB;
// Two TCP connections with their kernel buffers on both sides lie between page and target.
const KERNEL_BYTES = 24 * MiB;
const RELAY_GROWTH_BYTES = 40 * MiB;

const start = useBuiltCommand();

async function startRelayProcess(start: StartCommand, port: number): Promise<{ url: string; pid: number }> {
  const command = start(['--listen', '127.0.0.1:0', '--allow', `127.0.0.1:${port}`, '--origin', ORIGIN]);
  await until(() => command.output.stdout.includes('listens on'));
  return { url: /ws:\S+/.exec(command.output.stdout)?.[0] ?? '', pid: command.child.pid ?? 0 };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes in buffers that this process, page and target in one, still refers to. */
async function heldBufferBytes(): Promise<number> {
  // Buffers are freed in the background of a collection, and some only in the one after it.
  for (let count = 0; count < 5; count++) {
    collectGarbage();
    await sleep(20);
  }
  return process.memoryUsage().arrayBuffers;
}

/** Chunks of a repeatable stream in which every part differs. */
function* pattern(hash: Hash): Generator<Buffer> {
  for (let index = 0; index * 65536 < TOTAL_BYTES; index++) {
    const chunk = Buffer.alloc(65536, index & 255);
    chunk.writeUInt32BE(index);
    hash.update(chunk);
    yield chunk;
  }
}

/** Writes as fast as the socket takes it, then ends. */
async function flood(socket: Socket, hash: Hash): Promise<void> {
  for (const chunk of pattern(hash)) {
    if (!socket.write(chunk)) await new Promise(resolve => socket.once('drain', resolve));
  }
  socket.end();
}

/** Waits until a count has not moved for half a second. */
async function settled(count: () => number): Promise<number> {
  for (let last = -1; ; ) {
    await sleep(500);
    if (count() === last) return last;
    last = count();
  }
}

test('a reader that stops holds the target back at a bounded number of bytes, and gets all of them later', async () => {
  const sentHash = createHash('sha256');
  let flooding: Socket | undefined;
  const target = await startTarget(socket => {
    flooding = socket;
    socket.resume();
    void flood(socket, sentHash);
  });
  const { url, pid } = await startRelayProcess(start, target.port);
  const before = await residentBytes(pid);
  const buffersBefore = await heldBufferBytes();
  const windows = { windowBytes: WINDOW_BYTES, maxWindowBytes: WINDOW_BYTES };
  const tunnel = tunnelTo({ url }, windows);
  const { reader } = await connect(tunnel, target.port);

  const receivedHash = createHash('sha256');
  let receivedBytes = 0;
  const readUpTo = async (limit: number) => {
    while (receivedBytes < limit) {
      const { done, value } = await reader.read();
      if (done) return;
      receivedHash.update(value);
      receivedBytes += value.length;
    }
  };
  await readUpTo(10 * MiB);
  const leftTarget = () => (flooding?.bytesWritten ?? 0) - (flooding?.writableLength ?? 0);
  const inFlight = (await settled(leftTarget)) - receivedBytes;
  expect(inFlight).toBeLessThan(WINDOW_BYTES + KERNEL_BYTES);
  expect((await residentBytes(pid)) - before).toBeLessThan(RELAY_GROWTH_BYTES);
  const heldBytes = (await heldBufferBytes()) - buffersBefore;
  // As much as half of it, or the measure is none.
  expect(heldBytes).toBeGreaterThan(WINDOW_BYTES / 2);
  expect(heldBytes).toBeLessThan(WINDOW_BYTES + MiB);

  await readUpTo(Number.POSITIVE_INFINITY);
  expect(receivedBytes).toBe(TOTAL_BYTES);
  expect(receivedHash.digest('hex')).toBe(sentHash.digest('hex'));
  expect((await residentBytes(pid)) - before).toBeLessThan(2 * RELAY_GROWTH_BYTES);
}, 60_000);

test('a target that stops holds the page back at its window, and gets all bytes later', async () => {
  const receivedHash = createHash('sha256');
  let receivedBytes = 0;
  let ended = false;
  const target = await startTarget(socket => {
    socket.pause();
    socket.on('data', chunk => {
      receivedHash.update(chunk);
      receivedBytes += chunk.length;
    });
    socket.on('end', () => {
      ended = true;
    });
    socket.pause();
  });
  const { url, pid } = await startRelayProcess(start, target.port);
  const before = await residentBytes(pid);
  const { writer } = await connect(tunnelTo({ url }), target.port);
  const sentHash = createHash('sha256');
  let sentBytes = 0;
  const sending = (async () => {
    for (const chunk of pattern(sentHash)) {
      await writer.write(chunk);
      sentBytes += chunk.length;
    }
    await writer.close();
  })();
  const stalledBytes = await settled(() => sentBytes);
  expect(stalledBytes).toBeGreaterThan(0);
  expect(stalledBytes).toBeLessThan(WINDOW_BYTES + KERNEL_BYTES);
  expect((await residentBytes(pid)) - before).toBeLessThan(RELAY_GROWTH_BYTES);

  target.sockets[0]?.resume();
  await sending;
  await until(() => ended);
  expect(receivedBytes).toBe(TOTAL_BYTES);
  expect(receivedHash.digest('hex')).toBe(sentHash.digest('hex'));
}, 60_000);
