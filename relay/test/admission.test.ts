import { expect, test } from 'vitest';
import { originAllowed, parseOrigin, tokenAllowed } from '../src/admission.js';

test('origins are those that a browser sends', () => {
  expect(parseOrigin('https://App.example.com:443')).toBe('https://app.example.com');
  expect(parseOrigin('http://localhost:5173')).toBe('http://localhost:5173');
  for (const wrong of ['localhost:5173', 'https://a.test/path', 'https://*.a.test', 'https://u@a.test', '']) {
    expect(() => parseOrigin(wrong)).toThrow(TypeError);
  }
});

test('an origin must be listed, and none needs a token or *', () => {
  const page = 'https://a.test';
  expect(originAllowed(page, { origins: [page], tokens: [] })).toBe(true);
  expect(originAllowed(page, { origins: [], tokens: ['t'] })).toBe(false);
  expect(originAllowed('https://a.test.evil.test', { origins: [page], tokens: [] })).toBe(false);
  expect(originAllowed('null', { origins: [page], tokens: ['t'] })).toBe(false);
  expect(originAllowed(undefined, { origins: [page], tokens: [] })).toBe(false);
  expect(originAllowed(undefined, { origins: [page], tokens: ['t'] })).toBe(true);
  expect(originAllowed(undefined, { origins: ['*'], tokens: [] })).toBe(true);
});

test('one of the tokens, whole', () => {
  expect(tokenAllowed('', [])).toBe(true);
  expect(tokenAllowed('b', ['a', 'b'])).toBe(true);
  expect(tokenAllowed('a', ['a', 'b'])).toBe(true);
  expect(tokenAllowed('', ['a'])).toBe(false);
  expect(tokenAllowed('aa', ['a'])).toBe(false);
});
