import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Relay } from '../src/index.js';
import {
  clientFrame,
  connect,
  dialRelay,
  pageWebSocket,
  startEcho,
  startRelay,
  tunnelTo,
  UPGRADE,
  until,
  upgradeRaw,
} from './support/harness.js';

const TOKEN = 'a-token-of-pages';
const OTHERS = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];

const fakeTimers = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
afterEach(() => {
  vi.useRealTimers();
});

/** Fails when a page with a token is not served. */
async function serves(relay: Relay, port: number, localAddress = '127.0.0.1'): Promise<void> {
  const webSocket = pageWebSocket('http://page.test', { localAddress });
  const { reader, writer } = await connect(tunnelTo(relay, { token: TOKEN, WebSocket: webSocket }), port);
  await writer.write(Uint8Array.of(1));
  expect((await reader.read()).value).toEqual(Uint8Array.of(1));
  await reader.cancel();
}

const open = (sockets: Socket[]) => sockets.filter(({ closed }) => !closed).length;
const many = <T>(count: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

test('WebSockets that say nothing do not keep out who has a token, whatever their number', async () => {
  const echo = await startEcho();
  const { relay, events } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], tokens: [TOKEN] },
    ...{ maxUnproven: 40, maxUnprovenPerAddress: 20 },
  });
  const pages = await many(200, index => upgradeRaw(relay, { localAddress: OTHERS[index % 4] ?? '' }));
  const sockets = pages.map(({ socket }) => socket);
  await serves(relay, echo.port);
  await until(() => open(sockets) < 40);
  await serves(relay, echo.port, '127.0.0.2');
  // Those that came last are still there.
  expect(sockets.slice(-10).map(({ closed }) => closed)).toEqual(Array(10).fill(false));
  await until(() => events.some(event => event.type === 'dropped'));
  expect(events.filter(event => event.type === 'dropped')[0]).toMatchObject({ limit: 'unproven' });
});

test('an address has a share of the unproven, of which its oldest goes', async () => {
  const { relay } = await startRelay({ maxUnprovenPerAddress: 2 });
  const other = await dialRelay(relay, '127.0.0.2');
  const sockets = [await dialRelay(relay), await dialRelay(relay), await dialRelay(relay)];
  await until(() => sockets[0]?.closed === true);
  expect([other, ...sockets].map(({ closed }) => closed)).toEqual([false, true, false, false]);
});

test('a page that is admitted leaves the unproven', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], maxUnprovenPerAddress: 1 });
  const { reader, writer } = await connect(tunnelTo(relay), echo.port);
  await writer.write(Uint8Array.of(1));
  await reader.read();
  await many(5, () => dialRelay(relay));
  await writer.write(Uint8Array.of(2));
  expect((await reader.read()).value).toEqual(Uint8Array.of(2));
});

test('TCP connections that never upgrade end after their time, whatever they say', async () => {
  const { relay } = await startRelay({ requestTimeoutMs: 300 });
  const startedAt = Date.now();
  const silent = await dialRelay(relay);
  const talking = await dialRelay(relay);
  talking.write(UPGRADE.slice(0, -2));
  const timer = setInterval(() => talking.write('X-More: 1\r\n'), 20);
  onTestFinished(() => clearInterval(timer));
  await Promise.all([silent, talking].map(socket => once(socket, 'close')));
  // Without a timer of its own for each connection, Node looks after 30 seconds.
  expect(Date.now() - startedAt).toBeLessThan(10_000);
});

test('upgrades with a foreign origin count for their address and lock out nobody else', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], tokens: [TOKEN] },
    ...{ maxConnections: 2, maxUnproven: 20, maxUnprovenPerAddress: 10 },
  });
  const foreign = async () => {
    const socket = await dialRelay(relay, '127.0.0.2');
    socket.write(UPGRADE.replace('http://page.test', 'http://evil.test'));
    return socket;
  };
  const sockets = await many(300, foreign);
  await serves(relay, echo.port);
  await until(() => open(sockets) <= 10);
});

test('new connections of an address have a rate, and other addresses their own', async () => {
  const { relay, events } = await startRelay({ newConnectionsPerSecond: 3 });
  const sockets = await many(20, () => dialRelay(relay, '127.0.0.2'));
  await until(() => open(sockets) <= 7);
  const other = await upgradeRaw(relay);
  expect(other.statusCode).toBe(101);
  expect(open(sockets)).toBeGreaterThanOrEqual(6);
  await until(() => events.some(event => event.type === 'dropped'));
  expect(events.find(event => event.type === 'dropped')).toMatchObject({
    ...{ limit: 'connection-rate', remoteAddress: '127.0.0.2' },
  });
});

async function startServer() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

test('on a shared server an upgrade that nobody takes ends, and one that somebody takes stays', async () => {
  const server = await startServer();
  const { relay } = await startRelay({ server, path: '/one' });
  await startRelay({ server, path: '/two' });
  server.on('upgrade', (request, socket) => {
    if (request.url === '/app') socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  });
  fakeTimers();
  const upgradeTo = async (path: string) => {
    const socket = await dialRelay({ address: server.address() as AddressInfo } as Relay);
    socket.write(UPGRADE.replace('GET / ', `GET ${path} `));
    return socket;
  };
  const taken = await upgradeTo('/app');
  await once(taken, 'data');
  const left = await upgradeTo('/nobody');
  const answer = once(left, 'data');
  while ((await countOf(server)) < 2);
  await turns();
  vi.advanceTimersByTime(10_000);
  expect(String(await answer)).toContain('HTTP/1.1 404 ');
  await once(left, 'close');
  expect(taken.closed).toBe(false);
  expect(relay.connections).toBe(0);
});

test('on a shared server an upgrade behind unanswered requests ends the connection, and its address counts for more', async () => {
  const server = await startServer();
  const answers: ServerResponse[] = [];
  server.on('request', (_request, response) => answers.push(response));
  const { relay } = await startRelay({ server, newConnectionsPerSecond: 10 });
  const at = { address: server.address() as AddressInfo } as Relay;
  const GET = 'GET /app HTTP/1.1\r\nHost: relay\r\n\r\n';
  // One request after the other is what proxies send.
  const orderly = await dialRelay(at);
  orderly.write(GET);
  await until(() => answers.length === 1);
  answers[0]?.end('answer');
  await once(orderly, 'data');
  orderly.write(UPGRADE);
  expect(String(await once(orderly, 'data'))).toContain('HTTP/1.1 101 ');
  const hasty = await dialRelay(at, '127.0.0.2');
  let received = '';
  hasty.on('data', chunk => {
    received += chunk;
  });
  hasty.write(GET.repeat(3) + UPGRADE);
  await until(() => hasty.closed);
  expect(received).toBe('');
  expect(relay.connections).toBe(1);
  const next = await dialRelay(at, '127.0.0.2');
  next.write(UPGRADE);
  expect(String(await once(next, 'data'))).toContain('HTTP/1.1 503 ');
});

test('on a shared server the untaken upgrades of an address are bounded too', async () => {
  const server = await startServer();
  await startRelay({ server, path: '/one', maxUnprovenPerAddress: 5 });
  await startRelay({ server, path: '/two', maxUnprovenPerAddress: 5 });
  const sockets = await many(50, async () => {
    const socket = await dialRelay({ address: server.address() as AddressInfo } as Relay);
    socket.write(UPGRADE.replace('GET / ', 'GET /nobody '));
    return socket;
  });
  await until(() => open(sockets) <= 5);
});

test('a page that sends more frames than a HELLO needs is cut off', async () => {
  const { relay } = await startRelay({});
  // Not by a timeout.
  fakeTimers();
  const page = await upgradeRaw(relay);
  const closed = once(page.socket, 'close');
  page.socket.write(Buffer.concat(Array.from({ length: 600 }, () => clientFrame('pong'))));
  await closed;
});

test.each([
  ['in place of HELLO', 'http://page.test'],
  ['behind a refusal', 'http://evil.test'],
])('a page that sends more bytes than HELLO and first DATA take is cut off: %s', async (_name, origin) => {
  const { relay } = await startRelay({});
  fakeTimers();
  const page = await upgradeRaw(relay, { origin });
  // A message of 256 KiB that is not complete.
  const bulk = Buffer.alloc(140_000);
  bulk.set([0x82, 0xff, 0, 0, 0, 0, 0, 4, 0, 0]);
  const closed = once(page.socket, 'close');
  page.socket.write(bulk);
  await closed;
});

test('a page that sends HELLO in too many small pieces is cut off', async () => {
  const { relay } = await startRelay({});
  const page = await upgradeRaw(relay);
  let sent = 0;
  page.socket.write(Uint8Array.of(0x82, 0xfe, 0x10, 0, 0, 0, 0, 0));
  while (!page.socket.closed && sent < 1000) {
    page.socket.write(Uint8Array.of(1));
    sent++;
    await turns();
  }
  expect(sent).toBeLessThan(1000);
});

const countOf = (server: ReturnType<typeof createServer>) =>
  new Promise<number>(resolve => server.getConnections((_error, count) => resolve(count)));

async function turns(): Promise<void> {
  for (let count = 0; count < 5; count++) await new Promise(resolve => setImmediate(resolve));
}

test('requests sent one behind the other get one answer, and their address counts for more', async () => {
  const echo = await startEcho();
  const { relay, events } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], tokens: [TOKEN] },
    newConnectionsPerSecond: 10,
  });
  const socket = await dialRelay(relay, '127.0.0.2');
  let received = '';
  socket.on('data', chunk => {
    received += chunk;
  });
  socket.write('GET / HTTP/1.1\r\nHost: relay\r\n\r\n'.repeat(1000));
  await until(() => socket.closed);
  expect(received.match(/HTTP\/1.1/g)?.length ?? 0).toBeLessThan(2);
  const next = await dialRelay(relay, '127.0.0.2');
  await until(() => next.closed);
  await until(() => events.some(event => event.type === 'dropped' && event.limit === 'connection-rate'));
  await serves(relay, echo.port);
});
