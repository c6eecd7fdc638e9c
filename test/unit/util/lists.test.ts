import { expect, it } from 'vitest';
import { isListOf } from '../../../src/util/lists.js';

const isText = (value: unknown): value is string => typeof value === 'string';

it.each([[[]], [['a', 'b']]])('%j is a list of texts', value => {
  expect(isListOf(value, isText)).toBe(true);
});

it.each<[string, unknown]>([
  ['another member', ['a', 1]],
  ['a hole', Object.assign(['a'], { length: 2 })],
  ['nothing but holes', Object.assign([], { length: 2 ** 32 - 1 })],
  ['a hole, and a property in its place', Object.assign(['a'], { length: 2, name: 'b' })],
  ['the shape of an array', { 0: 'a', length: 1 }],
  ['a text', 'ab'],
  ['nothing', undefined],
])('%s is none', (_, value) => {
  expect(isListOf(value, isText)).toBe(false);
});
