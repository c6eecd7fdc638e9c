import { setMaxListeners } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { DnsResolver } from '../../../src/policy/lookup/dns-resolver.js';
import type { LookupOptions } from '../../../src/policy/lookup/name-resolver.js';
import { LookupLimitError, TargetUnreachableError } from '../../../src/policy/target-error.js';
import { type DnsServer, startDns } from '../../support/dns-server.js';
import { until } from '../../support/harness.js';

interface Files {
  hosts?: string;
  resolvConf?: string;
}

/** A resolver that asks this server, and whose files are these. */
async function resolverOf(
  { address }: DnsServer,
  { hosts = '', resolvConf = '' }: Files = {},
): Promise<DnsResolver> {
  const folder = await mkdtemp(join(tmpdir(), 'resolver-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [hostsPath, resolvConfPath] = [join(folder, 'hosts'), join(folder, 'resolv.conf')];
  await writeFile(hostsPath, hosts);
  await writeFile(resolvConfPath, resolvConf);
  return new DnsResolver({ servers: [address], hostsPath, resolvConfPath });
}

function lookup(
  resolver: DnsResolver,
  name: string,
  options: Partial<LookupOptions> = {},
): Promise<readonly string[]> {
  return resolver.resolve(name, {
    search: false,
    account: 'page',
    signal: new AbortController().signal,
    ...options,
  });
}

/** One for many lookups, which Node takes for a leak otherwise. */
function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** The resolver's clock stands still until `vi.advanceTimersByTime`; real timers go on. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
}

function namesOf({ questions }: DnsServer): string[] {
  return questions.filter(({ type }) => type === 'A').map(({ name }) => name);
}

const NOT_FOUND = { name: 'Error', reason: 'dns' };

test('a name has the addresses of both families', async () => {
  const dns = await startDns({ 'a.test': { addresses: ['192.0.2.1', '2001:db8::1', '192.0.2.2'] } });
  const resolver = await resolverOf(dns);
  expect(await lookup(resolver, 'a.test')).toEqual(['2001:db8::1', '192.0.2.1', '192.0.2.2']);
  expect(resolver.running).toBe(0);
});

test.each([
  ['localhost', ['::1', '127.0.0.1']],
  ['a.localhost', ['::1', '127.0.0.1']],
  ['a.test', ['10.0.0.1', 'fd00::1']],
  ['b.test', ['10.0.0.1']],
  ['upper.test', ['10.0.0.3']],
])('%s is known without a question', async (name, addresses) => {
  const dns = await startDns({ [name]: { addresses: ['10.0.0.9'] } });
  const hosts =
    '# a.test\n10.0.0.1\ta.test b.test # c.test\nfd00::1 a.test\n10.0.0.3 UPPER.test.\n10.0.0.4 localhost';
  const resolver = await resolverOf(dns, { hosts });
  expect(await lookup(resolver, name)).toEqual(addresses);
  expect(dns.questions).toEqual([]);
});

test.each(['a.invalid', 'invalid', 'a.onion'])('%s exists nowhere, and nobody is asked', async name => {
  const dns = await startDns({ [name]: { addresses: ['10.0.0.9'] } });
  await expect(lookup(await resolverOf(dns), name)).rejects.toMatchObject(NOT_FOUND);
  expect(dns.questions).toEqual([]);
});

test('a hosts file that is changed is read again', async () => {
  stopClock();
  const dns = await startDns({});
  const folder = await mkdtemp(join(tmpdir(), 'resolver-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const hostsPath = join(folder, 'hosts');
  const resolver = new DnsResolver({
    servers: [dns.address],
    hostsPath,
    resolvConfPath: join(folder, 'none'),
  });
  await expect(lookup(resolver, 'a.test')).rejects.toBeInstanceOf(TargetUnreachableError);
  await writeFile(hostsPath, '10.0.0.1 a.test');
  vi.advanceTimersByTime(5100);
  expect(await lookup(resolver, 'a.test')).toEqual(['10.0.0.1']);
});

const searches: [resolvConf: string, name: string, asked: string[]][] = [
  ['search x.test y.test', 'db', ['db.x.test', 'db.y.test', 'db']],
  ['search x.test\ndomain z.test', 'db', ['db.z.test', 'db']],
  ['search x.test', 'a.test', ['a.test', 'a.test.x.test']],
  ['search x.test.\noptions rotate ndots:3', 'a.b.test', ['a.b.test.x.test', 'a.b.test']],
  ['options ndots:2 timeout:1', 'a.test', ['a.test']],
  ['', 'db', ['db']],
];

test.each(searches)('with %j a short name %s is searched for', async (resolvConf, name, asked) => {
  const dns = await startDns({});
  await expect(lookup(await resolverOf(dns, { resolvConf }), name, { search: true })).rejects.toMatchObject(
    NOT_FOUND,
  );
  expect(namesOf(dns)).toEqual(asked);
});

test('a search ends with the first name that exists', async () => {
  const dns = await startDns({
    'db.x.test': { addresses: ['10.0.0.1'] },
    'db.y.test': { addresses: ['10.0.0.2'] },
  });
  const resolver = await resolverOf(dns, { resolvConf: 'search w.test x.test y.test' });
  expect(await lookup(resolver, 'db', { search: true })).toEqual(['10.0.0.1']);
  expect(namesOf(dns)).toEqual(['db.w.test', 'db.x.test']);
  await expect(lookup(resolver, 'db', { search: false })).rejects.toMatchObject(NOT_FOUND);
});

test('a search ends with a failure: it says nothing about the name', async () => {
  const dns = await startDns({
    'a.test': { rcode: 'SERVFAIL' },
    'a.test.x.test': { addresses: ['10.0.0.1'] },
  });
  const resolver = await resolverOf(dns, { resolvConf: 'search x.test' });
  await expect(lookup(resolver, 'a.test', { search: true })).rejects.toMatchObject({ reason: 'dns' });
  expect(new Set(namesOf(dns))).toEqual(new Set(['a.test']));
});

test('the addresses at the end of a chain of names', async () => {
  const chain = Array.from({ length: 8 }, (_, index) => `alias${index}.test`);
  const dns = await startDns({ 'a.test': { chain, addresses: ['10.0.0.1', 'fd00::1'] } });
  expect(await lookup(await resolverOf(dns), 'a.test')).toEqual(['fd00::1', '10.0.0.1']);
});

test('a chain that ends nowhere', async () => {
  const dns = await startDns({ 'a.test': { chain: ['b.test'], addresses: [] } });
  await expect(lookup(await resolverOf(dns), 'a.test')).rejects.toMatchObject({ reason: 'dns' });
});

test('a truncated answer, and one of 300 addresses, come by TCP; 16 of them are used', async () => {
  const many = Array.from({ length: 300 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
  const dns = await startDns({
    'cut.test': { addresses: ['10.0.0.1'], truncated: true },
    'many.test': { addresses: many },
  });
  const resolver = await resolverOf(dns);
  expect(await lookup(resolver, 'cut.test')).toEqual(['10.0.0.1']);
  expect(await lookup(resolver, 'many.test')).toEqual(many.slice(0, 16));
  expect(dns.questions.map(({ transport }) => transport)).toContain('tcp');
});

test.each([
  ['does not exist', { rcode: 'NXDOMAIN' as const }, 1],
  ['has no address', {}, 1],
  ['cannot be told', { rcode: 'SERVFAIL' as const }, 2],
  ['is refused', { rcode: 'REFUSED' as const }, 2],
])('a name that %s is asked for again or not', async (_name, answer, rounds) => {
  let round = 0;
  const dns = await startDns({ 'a.test': () => (round < 1 ? answer : { addresses: ['10.0.0.1'] }) });
  const resolver = await resolverOf(dns);
  await expect(lookup(resolver, 'a.test')).rejects.toMatchObject({ reason: 'dns' });
  round++;
  const again = await lookup(resolver, 'a.test').catch(() => 'as before');
  expect(again).toEqual(rounds === 1 ? 'as before' : ['10.0.0.1']);
});

test('an answer is kept for its time, and no longer', async () => {
  stopClock();
  const dns = await startDns({
    'kept.test': { addresses: ['10.0.0.1'], ttl: 1 },
    'once.test': { addresses: ['10.0.0.1'], ttl: 0 },
  });
  const resolver = await resolverOf(dns);
  for (let count = 0; count < 3; count++) {
    await lookup(resolver, 'kept.test');
    await lookup(resolver, 'once.test');
  }
  expect(namesOf(dns).toSorted()).toEqual(['kept.test', 'once.test', 'once.test', 'once.test']);
  vi.advanceTimersByTime(1100);
  await lookup(resolver, 'kept.test');
  expect(namesOf(dns).filter(name => name === 'kept.test')).toHaveLength(2);
});

test.each(['A', 'AAAA'] as const)(
  'a server that is silent about %s does not keep the other family waiting',
  async silent => {
    const dns = await startDns({
      'a.test': ({ type }) => (type === silent ? undefined : { addresses: ['10.0.0.1', 'fd00::1'] }),
    });
    const startedAt = performance.now();
    expect(await lookup(await resolverOf(dns), 'a.test')).toEqual([silent === 'A' ? 'fd00::1' : '10.0.0.1']);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  },
);

test('of 100 lookups of one name at once 16 ask, and the others have their answer', async () => {
  const dns = await startDns({ 'a.test': { addresses: ['10.0.0.1'], delayMs: 20 } });
  const resolver = await resolverOf(dns);
  const lookups = await Promise.all(Array.from({ length: 100 }, () => lookup(resolver, 'a.test')));
  expect(new Set(lookups.flat())).toEqual(new Set(['10.0.0.1']));
  expect(namesOf(dns)).toHaveLength(16);
});

test('a lookup that nobody waits for ends at once and leaves its slot', async () => {
  const dns = await startDns({ 'slow.test': undefined });
  const resolver = await resolverOf(dns);
  const controller = sharedController();
  const lookups = Array.from({ length: 40 }, () =>
    lookup(resolver, 'slow.test', { signal: controller.signal }),
  );
  const settled = Promise.allSettled(lookups);
  await until(() => dns.questions.length >= 32);
  expect(resolver.running).toBe(16);
  controller.abort(new Error('gone'));
  for (const { status } of await settled) expect(status).toBe('rejected');
  await expect(lookups[39]).rejects.toThrow('gone');
  await until(() => resolver.running === 0);
});

test('one page’s slow lookups hold up nobody else’s, and 256 are all that it may have', async () => {
  const dns = await startDns({ 'slow.test': undefined, 'fast.test': { addresses: ['10.0.0.1'] } });
  const resolver = await resolverOf(dns);
  const controller = sharedController();
  const slow = Array.from({ length: 257 }, () =>
    lookup(resolver, 'slow.test', { signal: controller.signal }),
  );
  for (const each of slow) each.catch(() => {});
  await expect(slow[256]).rejects.toThrow(LookupLimitError);
  expect(await lookup(resolver, 'fast.test', { account: 'another' })).toEqual(['10.0.0.1']);
  controller.abort();
  expect(await lookup(resolver, 'fast.test')).toEqual(['10.0.0.1']);
});

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

// Only Linux lists a process's descriptors in /proc.
test.skipIf(process.platform !== 'linux')(
  '400 lookups, answered and given up, leave no descriptor open',
  async () => {
    const dns = await startDns({ 'slow.test': undefined, 'once.test': { addresses: ['10.0.0.1'], ttl: 0 } });
    const resolver = await resolverOf(dns);
    const before = openDescriptors();
    for (let round = 0; round < 20; round++) {
      const controller = sharedController();
      const given = Array.from({ length: 10 }, () =>
        lookup(resolver, 'slow.test', { signal: controller.signal }),
      );
      const settled = Promise.allSettled(given);
      await Promise.all(
        Array.from({ length: 10 }, () => lookup(resolver, 'once.test', { account: 'another' })),
      );
      controller.abort();
      await settled;
    }
    await until(() => openDescriptors() <= before + 2);
  },
);
