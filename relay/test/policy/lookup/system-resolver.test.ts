import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { SystemResolver } from '../../../src/policy/lookup/system-resolver.js';
import { until } from '../../support/harness.js';

const derive = promisify(pbkdf2);

/** Keeps each of Node's threads busy for a while, so that lookups are slow as with a DNS server that does not answer. */
function occupyThreads(): Promise<unknown> {
  return Promise.all(Array.from({ length: 4 }, () => derive('', '', 1_500_000, 32, 'sha256')));
}

function lookup(
  resolver: SystemResolver,
  name: string,
  account: string,
  signal = new AbortController().signal,
) {
  return resolver.resolve(name, { search: true, account, signal });
}

test('localhost is loopback, and other names are what the system says', async () => {
  const resolver = new SystemResolver();
  expect(await lookup(resolver, 'localhost', 'page')).toEqual(['::1', '127.0.0.1']);
  await expect(lookup(resolver, 'a.invalid', 'page')).rejects.toMatchObject({ reason: 'dns' });
  // Every spelling of an address is known to getaddrinfo without a server.
  expect(await lookup(resolver, '127.1', 'page')).toEqual(['127.0.0.1']);
});

test('a lookup holds its slot until it has ended, also when its page has gone', async () => {
  const resolver = new SystemResolver();
  const occupied = occupyThreads();
  const controller = new AbortController();
  const given = lookup(resolver, '127.1', 'page', controller.signal);
  await until(() => resolver.running === 1);
  controller.abort(new Error('gone'));
  await expect(given).rejects.toThrow('gone');
  expect(resolver.running).toBe(1);
  // The page's next lookup waits for its slot; another page has one of its own, and so has a third.
  const next = lookup(resolver, '127.2', 'page');
  const others = ['b', 'c', 'd'].map(account => lookup(resolver, '127.3', account));
  await new Promise(setImmediate);
  expect(resolver.running).toBe(3);
  await occupied;
  expect(await next).toEqual(['127.0.0.2']);
  for (const other of others) expect(await other).toEqual(['127.0.0.3']);
  await until(() => resolver.running === 0);
});
