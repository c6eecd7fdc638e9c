import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { GrowthBudget, ReceiveWindow } from '../../src/tunnel/wire/receive-window.js';
import { RelayMemory } from '../src/memory/relay-memory.js';
import { TargetWriter } from '../src/session/target-writer.js';

const KiB = 1024;

/** A target that takes all at once, and keeps how many bytes it was given in each write, and the memory under them. */
function startWriter() {
  const writes: number[] = [];
  const buffers = new Set<ArrayBufferLike>();
  const socket = new Writable({
    write: (chunk: Buffer, _, callback) => {
      writes.push(chunk.length);
      callback();
    },
    writev: (chunks, callback) => {
      for (const { chunk } of chunks) buffers.add(chunk.buffer);
      writes.push(chunks.reduce((sum, { chunk }) => sum + chunk.length, 0));
      callback();
    },
  });
  const writer = new TargetWriter({
    window: new ReceiveWindow({
      initialBytes: 4096 * KiB,
      budget: new GrowthBudget(0),
      roundTripMs: () => undefined,
    }),
    memory: new RelayMemory(64 * 1024 * KiB).page('page'),
    onCredit: () => {},
    onTaken: () => {},
  });
  writer.start(socket as Socket);
  return { writer, writes, buffers };
}

const turn = () => new Promise(resolve => setImmediate(resolve));

test('what is read in a turn leaves in one write, its small rest as well', async () => {
  const { writer, writes } = startWriter();
  for (const size of [64, 64, 1]) writer.receive(Buffer.alloc(size * KiB));
  expect(writes).toEqual([]);
  await turn();
  expect(writes).toEqual([129 * KiB]);
  expect(writer.heldBytes).toBe(0);
});

test('a small message, and a whole batch, leave at once', async () => {
  const { writer, writes } = startWriter();
  writer.receive(Buffer.alloc(KiB));
  expect(writes).toEqual([KiB]);
  await turn();
  for (let count = 0; count < 4; count++) writer.receive(Buffer.alloc(64 * KiB));
  expect(writes).toEqual([KiB, 256 * KiB]);
  await turn();
  expect(writes).toEqual([KiB, 256 * KiB]);
});

test('what waits for the end of the turn is dropped with the stream, and leaves before its end', async () => {
  const dropped = startWriter();
  dropped.writer.receive(Buffer.alloc(64 * KiB));
  dropped.writer.discard();
  const ended = startWriter();
  ended.writer.receive(Buffer.alloc(64 * KiB));
  ended.writer.end();
  await turn();
  expect(dropped.writes).toEqual([]);
  expect(ended.writes).toEqual([64 * KiB]);
});

test('small parts of reads do not keep the reads, unless a part beside them does', async () => {
  const { writer, buffers } = startWriter();
  const reads = Array.from({ length: 4 }, () => new Uint8Array(64 * KiB));
  const [first, second, third, fourth] = reads as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  writer.receive(first.subarray(0, 5 * KiB));
  writer.receive(second.subarray(0, 5 * KiB));
  writer.receive(third.subarray(5 * KiB));
  writer.receive(fourth.subarray(0, 50 * KiB));
  writer.receive(fourth.subarray(50 * KiB));
  await turn();
  expect(reads.map(({ buffer }) => buffers.has(buffer))).toEqual([true, false, true, true]);
  // With the copy of the second read's part; the fourth's second part has none.
  expect(buffers.size).toBe(4);
});
