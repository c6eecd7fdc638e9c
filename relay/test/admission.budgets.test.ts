import { readFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { addressKey, normaliseAddress } from '../src/admission/addresses/address.js';
import { GuessThrottle } from '../src/admission/budgets/guesses.js';
import { ProvenBudget } from '../src/admission/budgets/proven.js';
import { BucketsByAddress, TokenBucket } from '../src/admission/budgets/token-bucket.js';
import { UnprovenBudget } from '../src/admission/budgets/unproven.js';
import { findToken, parseTokens, readToken } from '../src/admission/tokens.js';
import { LIMITS, type LimitRule, limitNames, parseLimits } from '../src/limits.js';
import { dropLargest } from '../src/memory/memory-watch.js';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:DB8:1:2:3:4:5:6', '20010db800010002::/64'],
  ['2001:db8:1:2::', '20010db800010002::/64'],
  ['2001:db8::9', '20010db800000000::/64'],
  ['::1', '0::/64'],
  ['fe80::1%eth0', 'fe80000000000000::/64'],
])('%s counts for %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});

test('what is not an address is not one', () => {
  for (const text of ['', 'unknown', '1.2.3', '0x7f.1', '1.2.3.4.5', ':::', '_hidden']) {
    expect(normaliseAddress(text)).toBeUndefined();
  }
});

/** A budget, with the names of those that had to go. */
function unprovenBudget(maxUnproven: number, maxUnprovenPerAddress: number) {
  const gone: string[] = [];
  const budget = new UnprovenBudget({ maxUnproven, maxUnprovenPerAddress, onExpelled: () => {} });
  const enter = (key: string | undefined, name: string) => budget.enter(key, () => gone.push(name));
  return { budget, gone, enter };
}

test('the newest gets in, and the oldest of the address with the most goes', () => {
  const { budget, gone, enter } = unprovenBudget(4, 3);
  enter('victim', 'v1');
  for (const name of ['a1', 'a2', 'a3', 'a4']) enter('attacker', name);
  expect(gone).toEqual(['a1']);
  enter('other', 'o1');
  expect(gone).toEqual(['a1', 'a2']);
  expect(budget.size).toBe(4);
});

test('of equals the oldest goes', () => {
  const { gone, enter } = unprovenBudget(3, 3);
  for (const name of ['a', 'b', 'c', 'd']) enter(name, name);
  expect(gone).toEqual(['a']);
});

test('those who leave make room, once', () => {
  const { budget, gone, enter } = unprovenBudget(2, 2);
  const first = enter('a', 'a');
  enter('b', 'b');
  budget.leave(first);
  budget.leave(first);
  enter('c', 'c');
  expect(gone).toEqual([]);
  expect(budget.size).toBe(2);
});

test('a proxy has no limit per address until the page is known', () => {
  const { budget, gone, enter } = unprovenBudget(10, 2);
  const entries = ['p1', 'p2', 'p3', 'p4'].map(name => enter(undefined, name));
  expect(gone).toEqual([]);
  for (const entry of entries.slice(0, 3)) budget.move(entry, 'page');
  expect(gone).toEqual(['p1']);
});

const roomy = parseLimits({ maxConnectionsPerAddress: 1000, maxStreamsPerAddress: 1000 });

test('the limits of the proven: in all, per address, per subject', () => {
  const limits = { maxConnections: 4, maxConnectionsPerAddress: 3, maxConnectionsPerSubject: 2 };
  const budget = new ProvenBudget({ ...roomy, ...limits }).sockets;
  const person = { key: 'a', subject: 'ann', shared: false };
  expect([budget.enter(person), budget.enter(person), budget.enter(person)]).toEqual([
    undefined,
    undefined,
    'connections-per-subject',
  ]);
  const other = { key: 'a', subject: undefined, shared: true };
  expect([budget.enter(other), budget.enter(other)]).toEqual([undefined, 'connections-per-address']);
  expect([budget.enter({ ...other, key: 'b' }), budget.enter({ ...other, key: 'c' })]).toEqual([
    undefined,
    'connections',
  ]);
  budget.leave(person);
  expect(budget.enter({ ...person, key: 'c' })).toBeUndefined();
});

test('a subject that many share has no limit of its own unless one is set', () => {
  const enterAll = (kind: 'sockets' | 'streams', count: number, shared: boolean) => {
    const budget = new ProvenBudget(roomy)[kind];
    const verdicts = Array.from({ length: count }, () => budget.enter({ key: 'a', subject: 's', shared }));
    return verdicts.at(-1);
  };
  expect([enterAll('sockets', 65, true), enterAll('streams', 513, true)]).toEqual([undefined, undefined]);
  expect(enterAll('sockets', 65, false)).toBe('connections-per-subject');
  expect(enterAll('streams', 513, false)).toBe('streams-per-subject');
});

test('a bucket gives its burst at once, then its rate', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const bucket = new TokenBucket({ perSecond: 10, burst: 2 });
  expect([bucket.tryTake(), bucket.tryTake(), bucket.tryTake()]).toEqual([true, true, false]);
  vi.advanceTimersByTime(100);
  expect([bucket.tryTake(), bucket.tryTake()]).toEqual([true, false]);
  expect(bucket.take(5)).toBe(500);
  vi.advanceTimersByTime(10_000);
  expect(bucket.take(2)).toBe(0);
  expect(bucket.take(1)).toBe(100);
  vi.useRealTimers();
});

test('a rate of 0 is no limit', () => {
  const bucket = new TokenBucket({ perSecond: 0, burst: 0 });
  expect(bucket.tryTake()).toBe(true);
  expect(bucket.take(1e9)).toBe(0);
});

test('buckets of a million addresses do not pile up, and those in debt are remembered longest', () => {
  const buckets = new BucketsByAddress({ perSecond: 0.001, burst: 1 });
  const debtor = buckets.of('debtor');
  debtor.take(2);
  for (let index = 0; index < 20_000; index++) buckets.of(`idle-${index}`);
  expect(buckets.of('debtor')).toBe(debtor);
});

test('guesses are refused for a time that doubles', () => {
  const throttle = new GuessThrottle();
  for (let guess = 0; guess < 9; guess++) throttle.noteWrong('a', 0);
  expect(throttle.isRefused('a', 1)).toBe(false);
  throttle.noteWrong('a', 0);
  expect([throttle.isRefused('a', 999), throttle.isRefused('a', 1000)]).toEqual([true, false]);
  throttle.noteWrong('a', 1000);
  expect([throttle.isRefused('a', 2999), throttle.isRefused('a', 3000)]).toEqual([true, false]);
  for (let guess = 0; guess < 10; guess++) throttle.noteWrong('a', 3000);
  expect([throttle.isRefused('a', 62_999), throttle.isRefused('a', 63_000)]).toEqual([true, false]);
  expect(throttle.isRefused('b', 3000)).toBe(false);
  throttle.noteWrong('a', 3000 + 10 * 60_000);
  expect(throttle.isRefused('a', 3001 + 10 * 60_000)).toBe(false);
});

const LONG = 'abcdefghijklmnop';

test('one of the tokens, whole, by its name', () => {
  const tokens = parseTokens([LONG, { name: 'new', token: `${LONG}2` }]);
  expect(tokens.map(({ name }) => name)).toEqual(['token-1', 'new']);
  expect(findToken(LONG, tokens)?.name).toBe('token-1');
  expect(findToken(`${LONG}2`, tokens)?.name).toBe('new');
  for (const wrong of ['', LONG.slice(1), `${LONG}3`]) expect(findToken(wrong, tokens)).toBeUndefined();
  expect(JSON.stringify(tokens)).not.toContain(LONG);
});

test('tokens of the command may have a name', () => {
  expect(readToken(LONG)).toBe(LONG);
  expect(readToken(`app:${LONG}:x`)).toEqual({ name: 'app', token: `${LONG}:x` });
});

test.each([
  ['15 bytes', LONG.slice(1)],
  ['4,097 bytes', 'x'.repeat(4097)],
  ['a name with a space', { name: 'a b', token: LONG }],
  ['no string', 7 as never],
])('a token of %s is a TypeError that does not hold it', (_name, token) => {
  expect(() => parseTokens([token])).toThrow(TypeError);
  expect(() => parseTokens([token])).not.toThrow(LONG.slice(1));
});

test('of the account that holds most the largest goes, until the rest fits', () => {
  const dropped: string[] = [];
  const holders = ['a 5', 'b 50', 'c 30', 'c 25', 'a 1'].map(text => {
    const [account = '', bytes] = text.split(' ');
    return { account, heldBytes: Number(bytes), dropForMemory: () => dropped.push(text) };
  });
  dropLargest(holders, 111);
  expect(dropped).toEqual([]);
  dropLargest(holders, 35);
  expect(dropped).toEqual(['c 30', 'b 50']);
});

test('the README has each limit with its flag and default', async () => {
  const readme = await readFile('relay/README.md', 'utf8');
  for (const name of limitNames) {
    const { flag, usual, usualForOne }: LimitRule = LIMITS[name];
    const byDefault = (usual ?? usualForOne)?.toLocaleString('en');
    expect(readme).toMatch(new RegExp(`\\| \`${name}\` \\| \`--${flag}\` \\| ${byDefault}\\b`));
  }
});
