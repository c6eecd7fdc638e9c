import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { TargetConnector } from '../../../src/policy/connection/target-connector.js';
import { DnsResolver } from '../../../src/policy/lookup/dns-resolver.js';
import { TargetDeniedError } from '../../../src/policy/target-error.js';
import { TargetPolicy } from '../../../src/policy/target-policy.js';
import { parseTargetRule } from '../../../src/policy/target-rule.js';
import { startDns } from '../../support/dns-server.js';
import { startTarget, startUnanswering, until } from '../../support/harness.js';

interface Setting {
  allow: string[];
  zone?: Parameters<typeof startDns>[0];
  connectTimeoutMs?: number;
}

async function connectorOf({ allow, zone = {}, connectTimeoutMs = 5000 }: Setting): Promise<TargetConnector> {
  const { address } = await startDns(zone);
  return new TargetConnector({
    policy: new TargetPolicy(allow.map(parseTargetRule)),
    resolver: new DnsResolver({ servers: [address], hostsPath: '/dev/null', resolvConfPath: '/dev/null' }),
    connectTimeoutMs,
  });
}

const ignoreBytes = (_bytes: Uint8Array): boolean => true;

async function connect(
  connector: TargetConnector,
  target: { hostname: string; port: number },
  { signal = new AbortController().signal, onBytes = ignoreBytes } = {},
): Promise<Socket> {
  const checked = connector.check(target);
  if (!checked) throw new TargetDeniedError('check');
  const listener = { buffer: new Uint8Array(65_536), onBytes, onWriteFailed: () => {} };
  const socket = await connector.connect(checked, { listener, signal, account: 'page' });
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

/** Listens on another of the loopback addresses, on the port of a target. */
async function listenOn(address: string, port: number): Promise<{ server: Server; count: () => number }> {
  const sockets: Socket[] = [];
  const server = createServer(socket => sockets.push(socket.on('error', () => {})));
  server.listen(port, address);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { server, count: () => sockets.length };
}

test('a name that changes its address between two lookups does not change what was checked', async () => {
  const allowed = await listenOn('127.0.0.1', 0);
  const { port } = allowed.server.address() as AddressInfo;
  const forbidden = await listenOn('127.0.0.2', port);
  let questions = 0;
  // Each question has another answer, and none may be kept.
  const rebinding = () => ({ addresses: [questions++ % 2 === 0 ? '127.0.0.1' : '127.0.0.2'], ttl: 0 });
  const connector = await connectorOf({
    allow: [`rebind.test:${port}`, `127.0.0.1:${port}`],
    zone: { 'rebind.test': ({ type }) => (type === 'A' ? rebinding() : {}) },
  });
  const target = { hostname: 'rebind.test', port };
  for (let round = 0; round < 5; round++) {
    expect((await connect(connector, target)).remoteAddress).toBe('127.0.0.1');
    await expect(connect(connector, target)).rejects.toThrow(`rebind.test:${port} at 127.0.0.2 (loopback)`);
  }
  expect(questions).toBe(10);
  await until(() => allowed.count() === 5);
  expect(forbidden.count()).toBe(0);
});

test('of a name’s addresses those are used that the policy admits', async () => {
  const { server, count } = await listenOn('127.0.0.1', 0);
  const { port } = server.address() as AddressInfo;
  const other = await listenOn('127.0.0.2', port);
  const connector = await connectorOf({
    allow: [`a.test:${port}`, `127.0.0.2:${port}`],
    zone: { 'a.test': { addresses: ['127.0.0.1', '169.254.169.254', '::ffff:127.0.0.1', '127.0.0.2'] } },
  });
  expect((await connect(connector, { hostname: 'a.test', port })).remoteAddress).toBe('127.0.0.2');
  await until(() => other.count() === 1);
  expect(count()).toBe(0);
});

test('an address that does not answer holds up the next for 250 ms', async () => {
  const port = await startUnanswering();
  await listenOn('127.0.0.2', port);
  const connector = await connectorOf({
    allow: [`a.test:${port}`, `127.0.0.0/8:${port}`],
    zone: { 'a.test': { addresses: ['127.0.0.1', '127.0.0.2'] } },
  });
  const startedAt = performance.now();
  expect((await connect(connector, { hostname: 'a.test', port })).remoteAddress).toBe('127.0.0.2');
  expect(performance.now() - startedAt).toBeGreaterThan(240);
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

// Only Linux lists a process's descriptors in /proc.
test.skipIf(process.platform !== 'linux')(
  'of a name with many addresses that do not answer, three are tried at once',
  async () => {
    const port = await startUnanswering('0.0.0.0');
    const addresses = Array.from({ length: 8 }, (_, index) => `127.0.1.${index + 1}`);
    const connector = await connectorOf({
      allow: [`a.test:${port}`, `127.0.0.0/8:${port}`],
      zone: { 'a.test': { addresses } },
      connectTimeoutMs: 2500,
    });
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    let most = 0;
    const timer = setInterval(() => {
      most = Math.max(most, descriptors() - before);
    }, 20);
    onTestFinished(() => clearInterval(timer));
    await expect(connect(connector, { hostname: 'a.test', port })).rejects.toMatchObject({
      reason: 'timeout',
    });
    // One more while the name is looked up, and while one gives way to the next.
    expect(most).toBeGreaterThanOrEqual(3);
    expect(most).toBeLessThanOrEqual(4);
    expect(descriptors()).toBeLessThanOrEqual(before + 1);
  },
);

test('eight addresses are tried, each as soon as the one before has refused', async () => {
  const { server } = await listenOn('127.0.1.8', 0);
  const { port } = server.address() as AddressInfo;
  const addresses = Array.from({ length: 20 }, (_, index) => `127.0.1.${index + 1}`);
  const connector = await connectorOf({
    allow: [`a.test:${port}`, `b.test:${port}`, `127.0.0.0/8:${port}`],
    zone: { 'a.test': { addresses }, 'b.test': { addresses: ['127.0.0.1', ...addresses] } },
  });
  const startedAt = performance.now();
  expect((await connect(connector, { hostname: 'a.test', port })).remoteAddress).toBe('127.0.1.8');
  await expect(connect(connector, { hostname: 'b.test', port })).rejects.toMatchObject({ reason: 'refused' });
  expect(performance.now() - startedAt).toBeLessThan(1_500);
});

test('both families are tried', async () => {
  const { server } = await listenOn('127.0.0.1', 0);
  const { port } = server.address() as AddressInfo;
  const connector = await connectorOf({
    allow: [`a.test:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`],
    zone: { 'a.test': { addresses: ['::1', '127.0.0.1'] } },
  });
  expect((await connect(connector, { hostname: 'a.test', port })).remoteAddress).toBe('127.0.0.1');
});

test('what a target says at once reaches who awaits the socket, and so does its end', async () => {
  const target = await startTarget(socket => socket.end('at once'));
  const connector = await connectorOf({ allow: [`127.0.0.1:${target.port}`] });
  let said = '';
  const onBytes = (bytes: Uint8Array) => {
    said += Buffer.from(bytes).toString();
    return true;
  };
  const socket = await connect(connector, { hostname: '127.0.0.1', port: target.port }, { onBytes });
  await once(socket, 'end');
  expect(said).toBe('at once');
});

test('the reason of a failure', async () => {
  const gone = await startTarget(() => {});
  gone.server.close();
  const silent = await startUnanswering();
  const connector = await connectorOf({
    allow: ['127.0.0.1:*', 'silent.test:*', 'none.test:*', '255.255.255.255:*'],
    zone: { 'silent.test': undefined },
    connectTimeoutMs: 400,
  });
  const reasonFor = (hostname: string, port: number) =>
    connect(connector, { hostname, port }).then(
      () => 'connected',
      error => error.reason,
    );
  expect(await reasonFor('127.0.0.1', gone.port)).toBe('refused');
  expect(await reasonFor('127.0.0.1', silent)).toBe('timeout');
  expect(await reasonFor('none.test', 1)).toBe('dns');
  // The time ran out while the name was looked up.
  expect(await reasonFor('silent.test', 1)).toBe('dns');
  expect(await reasonFor('255.255.255.255', 1)).toBe('network');
});

test.each(['silent.test', '127.0.0.1'])(
  'a signal ends the connecting with %s by its reason',
  async hostname => {
    const port = await startUnanswering();
    const connector = await connectorOf({
      allow: ['127.0.0.1:*', 'silent.test:*'],
      zone: { 'silent.test': undefined },
    });
    const controller = new AbortController();
    const connecting = connect(connector, { hostname, port }, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('gone')), 50);
    await expect(connecting).rejects.toThrow('gone');
  },
);

test('a signal has no effect on a connection that stands', async () => {
  const echo = await startTarget(socket => socket.pipe(socket));
  const connector = await connectorOf({ allow: [`127.0.0.1:${echo.port}`] });
  const controller = new AbortController();
  const received: Uint8Array[] = [];
  const onBytes = (bytes: Uint8Array) => received.push(bytes.slice()) > 0;
  const target = { hostname: '127.0.0.1', port: echo.port };
  const socket = await connect(connector, target, { signal: controller.signal, onBytes });
  controller.abort();
  socket.end('still here');
  await buffer(socket);
  expect(Buffer.concat(received).toString()).toBe('still here');
});
