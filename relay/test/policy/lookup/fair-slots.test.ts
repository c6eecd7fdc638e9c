import { expect, test } from 'vitest';
import { FairSlots } from '../../../src/policy/lookup/fair-slots.js';

const LIMITS = { total: 3, perAccount: 2, maxWaiting: 4, maxWaitingPerAccount: 3 };

/** Takes slots, and notes whose turn it was. */
function taker(slots: FairSlots) {
  const taken: string[] = [];
  const releases: (() => void)[] = [];
  return {
    taken,
    async take(account: string, signal = new AbortController().signal): Promise<boolean> {
      const release = await slots.acquire(account, signal);
      if (!release) return false;
      taken.push(account);
      releases.push(release);
      return true;
    },
    async release(): Promise<void> {
      releases.shift()?.();
      await new Promise(setImmediate);
    },
  };
}

test('slots in all, and of one account', async () => {
  const slots = new FairSlots(LIMITS);
  const { take, taken, release } = taker(slots);
  for (const account of ['a', 'a', 'a', 'b', 'c']) void take(account);
  await new Promise(setImmediate);
  expect(taken).toEqual(['a', 'a', 'b']);
  expect(slots.running).toBe(3);
  await release();
  expect(taken.slice(3)).toEqual(['c']);
});

test('free slots go to the accounts in turn', async () => {
  const slots = new FairSlots({ total: 1, perAccount: 1, maxWaiting: 99, maxWaitingPerAccount: 99 });
  const { take, taken, release } = taker(slots);
  for (const account of ['a', 'a', 'a', 'a', 'b', 'b', 'c']) void take(account);
  for (let count = 0; count < 7; count++) await release();
  expect(taken).toEqual(['a', 'b', 'c', 'a', 'b', 'a', 'a']);
  await release();
  expect(slots.running).toBe(0);
});

test('who comes when too many wait is told at once, unless a slot is free', async () => {
  const slots = new FairSlots(LIMITS);
  const { take, taken } = taker(slots);
  for (let count = 0; count < 5; count++) void take('a');
  expect(await take('a')).toBe(false);
  expect(await take('b')).toBe(true);
  void take('c');
  expect(await take('d')).toBe(false);
  expect(taken).toEqual(['a', 'a', 'b']);
});

test('who has gone does not wait, and takes no slot', async () => {
  const slots = new FairSlots({ ...LIMITS, total: 1 });
  const { take, taken, release } = taker(slots);
  await take('a');
  const controller = new AbortController();
  const gone = take('b', controller.signal);
  void take('c');
  controller.abort(new Error('gone'));
  await expect(gone).rejects.toThrow('gone');
  await release();
  expect(taken).toEqual(['a', 'c']);
  await expect(take('d', controller.signal)).rejects.toThrow('gone');
  await release();
  expect(slots.running).toBe(0);
  expect(await take('d')).toBe(true);
});
