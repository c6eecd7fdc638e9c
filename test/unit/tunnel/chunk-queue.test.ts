import { expect, test } from 'vitest';
import { ChunkQueue } from '../../../src/tunnel/wire/chunk-queue.js';

test('bytes come out as they went in, whatever the sizes', () => {
  const queue = new ChunkQueue();
  const sizes = [1, 2, 4095, 4096, 10, 65536, 3, 3, 5000, 1, 4000, 4000, 4000, 4000, 4000, 7];
  let next = 0;
  const pushed: number[] = [];
  const shifted: number[] = [];
  const shift = () => shifted.push(...(queue.shift() ?? []));
  for (const [index, size] of [...sizes, ...sizes, ...sizes].entries()) {
    const chunk = Uint8Array.from({ length: size }, () => next++ % 251);
    pushed.push(...chunk);
    queue.push(chunk);
    if (index % 3 === 0) shift();
    expect(queue.byteLength).toBe(pushed.length - shifted.length);
  }
  while (queue.byteLength > 0) shift();
  expect(queue.shift()).toBeUndefined();
  expect(Buffer.compare(Buffer.from(shifted), Buffer.from(pushed))).toBe(0);
});

test('a chunk that was taken out does not change any more', () => {
  const queue = new ChunkQueue();
  queue.push(Uint8Array.of(1));
  queue.push(Uint8Array.of(2));
  const taken = queue.shift();
  queue.push(Uint8Array.of(3));
  queue.push(Uint8Array.of(4));
  expect(taken).toEqual(Uint8Array.of(1, 2));
  expect(queue.shift()).toEqual(Uint8Array.of(3, 4));
});

test('a window of one-byte messages costs about a window', () => {
  const queue = new ChunkQueue();
  for (let count = 0; count < 1_000_000; count++) queue.push(Uint8Array.of(count));
  let chunks = 0;
  let bufferBytes = 0;
  for (let chunk = queue.shift(); chunk; chunk = queue.shift()) {
    chunks++;
    bufferBytes += chunk.buffer.byteLength;
  }
  expect(chunks).toBeLessThan(100);
  expect(bufferBytes).toBeLessThan(1_100_000);
});
