import { expect, test } from 'vitest';
import { BufferPool } from '../src/memory/message-buffers.js';

const KiB = 1024;

test('a buffer that has been given back is used again, a small one as well', () => {
  const pool = new BufferPool();
  for (const bytes of [100, 5 * KiB, 64 * KiB]) {
    const buffer = pool.take(bytes);
    pool.give(buffer);
    expect(pool.take(bytes)).toBe(buffer);
    expect(pool.take(bytes)).not.toBe(buffer);
  }
});

test('a burst of small messages leaves little behind, and takes no place of large buffers', () => {
  const pool = new BufferPool();
  const burst = Array.from({ length: 100 * KiB }, () => pool.take(500));
  const large = pool.take(256 * KiB);
  for (const buffer of [...burst, large]) pool.give(buffer);
  const used = new Set(burst);
  const kept = Array.from({ length: 1000 }, () => pool.take(500)).filter(it => used.has(it));
  expect(kept.length * 512).toBe(256 * KiB);
  expect(pool.take(256 * KiB)).toBe(large);
});
