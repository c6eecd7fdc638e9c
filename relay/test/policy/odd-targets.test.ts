import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { TargetConnector } from '../../src/policy/connection/target-connector.js';
import { DnsResolver } from '../../src/policy/lookup/dns-resolver.js';
import { TargetDeniedError, TargetUnreachableError } from '../../src/policy/target-error.js';
import { TargetPolicy } from '../../src/policy/target-policy.js';
import { parseTargetRule } from '../../src/policy/target-rule.js';
import { type DnsServer, startDns } from '../support/dns-server.js';
import { PRIVATE, SPELLINGS, TRAPS } from '../support/odd-targets.js';

// Each spelling is asked for, and a server on every address of this machine notes where a connection arrives.

let port: number;
let arrivals: (string | undefined)[];
let dns: DnsServer;

beforeEach(async () => {
  arrivals = [];
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => {}));
    arrivals.push(socket.localAddress?.replace('::ffff:', ''));
  });
  server.listen(0, '::');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  dns = await startDns(zone());
});

function zone(): Parameters<typeof startDns>[0] {
  const entries = Object.entries({ ...TRAPS, ...PRIVATE }).map(([name, addresses]) => [name, { addresses }]);
  return {
    ...Object.fromEntries(entries),
    'alias.test': { chain: ['b.test', 'localhost'], addresses: ['127.0.0.1'] },
    // Names that look like addresses, if anybody asks for them.
    '127.1': { addresses: ['127.0.0.1'] },
    '2130706433': { addresses: ['127.0.0.1'] },
    '0x7f.1': { addresses: ['127.0.0.1'] },
  };
}

/** Where a connection arrives, or what stands in its way. */
async function outcome(allow: string[], hostname: string): Promise<string | undefined> {
  const connector = new TargetConnector({
    policy: new TargetPolicy(allow.map(host => parseTargetRule(`${host}:${port}`))),
    resolver: new DnsResolver({
      servers: [dns.address],
      hostsPath: '/dev/null',
      resolvConfPath: '/dev/null',
    }),
    connectTimeoutMs: 2000,
  });
  const target = connector.check({ hostname, port });
  if (!target) return 'denied';
  try {
    const socket = await connector.connect(target, {
      listener: { buffer: new Uint8Array(1024), onBytes: () => true, onWriteFailed: () => {} },
      signal: new AbortController().signal,
      account: 'page',
    });
    const { remoteAddress } = socket;
    socket.destroy();
    return remoteAddress;
  } catch (error) {
    if (error instanceof TargetDeniedError) return 'denied';
    return error instanceof TargetUnreachableError ? error.reason : String(error);
  }
}

async function arrival(): Promise<string | undefined> {
  while (arrivals.length === 0) await new Promise(setImmediate);
  return arrivals[0];
}

const EVERYTHING = ['*', '*.test', 'localhost', '127.0.0.0/8', '127.0.0.1', '[::1]'];

test.each([
  ['localhost', '::1'],
  ['LocalHost', '::1'],
  ['localhost.', '::1'],
  ['anything.localhost', '::1'],
  ['127.0.0.1', '127.0.0.1'],
  ['127.0.0.9', '127.0.0.9'],
  ['::1', '::1'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['::0001', '::1'],
  ['0::0:1', '::1'],
  ['::0.0.0.1', '::1'],
  ['::ffff:127.0.0.1', '127.0.0.1'],
  ['::FFFF:7F00:1', '127.0.0.1'],
  ['0:0:0:0:0:ffff:127.0.0.1', '127.0.0.1'],
  ['0000:0000:0000:0000:0000:ffff:7f00:0001', '127.0.0.1'],
  ['loop.test', '127.0.0.1'],
  ['mapped.test', '127.0.0.1'],
  ['alias.test', '127.0.0.1'],
  ['LOOP.Test.', '127.0.0.1'],
])('%s leads to %s', async (hostname, address) => {
  expect(await outcome(EVERYTHING, hostname)).toBe(address);
  expect(await arrival()).toBe(address);
});

test.each(SPELLINGS)('%j leads nowhere, even where everything here is allowed', async hostname => {
  expect(await outcome(EVERYTHING, hostname)).toBe('denied');
  expect(arrivals).toEqual([]);
  expect(dns.questions).toEqual([]);
});

const LOCAL = [
  'localhost',
  'localhost.',
  'a.localhost',
  '127.0.0.1',
  '127.9.9.9',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
];
const NAMES = [...Object.keys(TRAPS), ...Object.keys(PRIVATE), 'alias.test'];
const WIDE = ['*', '*.test', '*.localhost', '0.0.0.0/0', '[::/0]'];

test.each([...LOCAL, ...NAMES])('everything that is global does not include %s', async hostname => {
  expect(await outcome(WIDE, hostname)).toBe('denied');
  expect(arrivals).toEqual([]);
});

test.each([...Object.keys(TRAPS), 'alias.test'])(
  'the very name %s admits no such address',
  async hostname => {
    expect(await outcome([hostname], hostname)).toBe('denied');
    expect(arrivals).toEqual([]);
  },
);

test.each(Object.keys(PRIVATE))('the very name %s admits a private address', async hostname => {
  expect(await outcome([hostname], hostname)).not.toBe('denied');
});

test.each([
  ['a.test', 'loop.test'],
  ['localhost', '127.0.0.1'],
  ['localhost', '::1'],
  ['localhost', 'a.localhost'],
  ['127.0.0.1', 'localhost'],
  ['127.0.0.1', '127.0.0.2'],
  ['[::1]', '127.0.0.1'],
  ['127.0.0.1', '::1'],
  ['127.0.0.1', '64:ff9b::127.0.0.1'],
  ['127.0.0.1', '::127.0.0.1'],
  ['127.0.0.0/8', '::1'],
  ['*.loop.test', 'loop.test'],
  ['oop.test', 'loop.test'],
])('%s does not allow %s', async (rule, hostname) => {
  expect(await outcome([rule], hostname)).toBe('denied');
  expect(arrivals).toEqual([]);
});
