import { expect, test } from 'vitest';
import { originAllowed, parseOrigin } from '../src/admission/origins.js';

test('origins are those that a browser sends', () => {
  expect(parseOrigin('https://App.example.com:443')).toBe('https://app.example.com');
  expect(parseOrigin('http://localhost:5173')).toBe('http://localhost:5173');
  const others = [
    'chrome-extension://nfmmdedfamphoadaeefedaenncjepalj',
    'moz-extension://0f8fad5b-d9cb-469f-a165-70867728950e',
    'capacitor://localhost',
  ];
  for (const origin of others) expect(parseOrigin(origin)).toBe(origin);
  for (const wrong of ['chrome-extension://*', 'chrome-extension://a/', 'file://host', 'moz-extension://'])
    expect(() => parseOrigin(wrong)).toThrow(TypeError);
  for (const wrong of ['localhost:5173', 'https://a.test/path', 'https://*.a.test', 'https://u@a.test', '']) {
    expect(() => parseOrigin(wrong)).toThrow(TypeError);
  }
});

test('an origin must be listed, and none needs a token or *', () => {
  const page = 'https://a.test';
  expect(originAllowed(page, { origins: [page], asksForToken: false })).toBe(true);
  expect(originAllowed(page, { origins: [], asksForToken: true })).toBe(false);
  expect(originAllowed('https://a.test.evil.test', { origins: [page], asksForToken: false })).toBe(false);
  expect(originAllowed('null', { origins: [page], asksForToken: true })).toBe(false);
  expect(originAllowed(undefined, { origins: [page], asksForToken: false })).toBe(false);
  expect(originAllowed(undefined, { origins: [page], asksForToken: true })).toBe(true);
  expect(originAllowed(undefined, { origins: ['*'], asksForToken: false })).toBe(true);
});
