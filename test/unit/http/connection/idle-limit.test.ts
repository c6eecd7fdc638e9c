import { expect, it } from 'vitest';
import { idleLimitMs } from '../../../../src/http/connection/idle-limit.js';

const headOf = (...values: string[]) => ({
  status: 200,
  statusText: 'OK',
  headers: values.map((value): [string, string] => ['keep-alive', value]),
});

it.each<[string, number]>([
  ['timeout=5', 4_000],
  ['max=100, Timeout=75', 74_000],
  ['timeout=5;max=3', 4_000],
  ['timeout=2', 1_000],
  ['timeout=1', 500],
  ['timeout=0', 0],
])('Keep-Alive: %s is a limit of %i ms', (value, limitMs) => {
  expect(idleLimitMs(headOf(value))).toBe(limitMs);
  expect(idleLimitMs(headOf('max=7', value))).toBe(limitMs);
});

it.each(['', 'max=5', 'notimeout=5', 'timeout=', 'timeout=-1', 'timeout=1234567', 'timeout=5s'])(
  'Keep-Alive: %s is none',
  value => {
    expect(idleLimitMs(headOf(value))).toBeUndefined();
  },
);

it('there is none without the field', () => {
  expect(idleLimitMs(headOf())).toBeUndefined();
});
