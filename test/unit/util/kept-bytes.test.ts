import { expect, it } from 'vitest';
import { KeptBytes } from '../../../src/util/kept-bytes.js';

it('memory is used again up to a limit, and no more than that is kept', () => {
  const kept = new KeptBytes(1000);
  const first = kept.take(600);
  expect(first.length).toBe(600);
  for (const length of [1, 600, 1000]) {
    expect(kept.take(length).length).toBe(length);
    expect(kept.take(length).buffer).toBe(first.buffer);
  }
  expect(kept.take(1001).buffer).not.toBe(first.buffer);
  expect(kept.take(1).buffer).toBe(first.buffer);
});
