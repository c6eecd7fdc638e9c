import { expect, it } from 'vitest';
import { Outcomes } from '../../../src/engine/outcomes.js';

const key = (number: number) => new Uint8Array(32).fill(number & 255).fill(number >> 8, 16);
const told = (number: number) => Uint8Array.of(...key(number), 7);

it('remembers what it is told, and forgets the oldest of many', () => {
  const outcomes = new Outcomes();
  expect(outcomes.answer(key(1))).toBeUndefined();
  expect(outcomes.answer(told(1))).toEqual(new Uint8Array());
  expect(outcomes.answer(key(1))).toEqual(Uint8Array.of(7));
  for (let number = 2; number <= 1_001; number++) outcomes.answer(told(number));
  expect(outcomes.answer(key(1))).toBeUndefined();
  expect(outcomes.answer(key(2))).toEqual(Uint8Array.of(7));
  expect(outcomes.answer(key(1_001))).toEqual(Uint8Array.of(7));
});
