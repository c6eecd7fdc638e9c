import { expect, it } from 'vitest';
import { refererTo, referrerAfter } from '../../../../src/fetch/request/referrer.js';

const page = new URL('https://ada:secret@a.example/page?query#part');
const WHOLE = 'https://a.example/page?query';
const ORIGIN = 'https://a.example/';
const [same, other] = [new URL('https://a.example/api'), new URL('https://b.example/api')];

it.each<[ReferrerPolicy, toSame: string | undefined, toOther: string | undefined]>([
  ['', WHOLE, ORIGIN],
  ['no-referrer', undefined, undefined],
  ['no-referrer-when-downgrade', WHOLE, WHOLE],
  ['same-origin', WHOLE, undefined],
  ['origin', ORIGIN, ORIGIN],
  ['strict-origin', ORIGIN, ORIGIN],
  ['origin-when-cross-origin', WHOLE, ORIGIN],
  ['strict-origin-when-cross-origin', WHOLE, ORIGIN],
  ['unsafe-url', WHOLE, WHOLE],
])('by the policy %j its own origin is told %s, another one %s', (policy, toSame, toOther) => {
  expect(refererTo(same, { url: page, policy })).toBe(toSame);
  expect(refererTo(other, { url: page, policy })).toBe(toOther);
});

it('an address of more than 4,096 characters is told as its origin', () => {
  const url = new URL(`https://a.example/${'x'.repeat(4_096 - ORIGIN.length)}`);
  expect(refererTo(same, { url, policy: 'unsafe-url' })).toBe(url.href);
  url.pathname += 'x';
  expect(refererTo(same, { url, policy: 'unsafe-url' })).toBe(ORIGIN);
});

it('behind a redirect, no more is told than the server that redirects was told', () => {
  const after = referrerAfter({ url: other, referrer: { url: page, policy: '' } }, []);
  expect(refererTo(same, after)).toBe(ORIGIN);
  const silent = { url: other, referrer: { url: page, policy: 'same-origin' as const } };
  expect(referrerAfter(silent, [['referrer-policy', 'unsafe-url']])).toBeUndefined();
});

it('a redirect names another policy: the last one that is known', () => {
  const from = { url: same, referrer: { url: page, policy: '' as const } };
  const policyBy = (...values: string[]) =>
    referrerAfter(
      from,
      values.map(value => ['referrer-policy', value] as const),
    )?.policy;
  expect(policyBy('origin, No-Referrer', 'later-policy')).toBe('no-referrer');
  expect(policyBy('constructor', '')).toBe('');
});
