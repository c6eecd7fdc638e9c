import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { createWebSocketTunnel, type WebSocketTunnelOptions } from '../../src/tunnel/websocket-tunnel.js';
import { createRelay, type RelayOptions } from '../src/index.js';
import {
  connect,
  pageWebSocket,
  sleep,
  startEcho,
  startRelay,
  startTarget,
  startUnanswering,
  tunnelTo,
  until,
} from './support/harness.js';
import { TestPage } from './support/test-page.js';

const DENY = { hostname: 'denied.test', port: 443 };

/** The error that a connection ends with, which must be the same on both of its streams. */
async function failureOf(
  relayOptions: RelayOptions,
  {
    target = DENY,
    ...options
  }: WebSocketTunnelOptions & { target?: { hostname: string; port: number } } = {},
) {
  const { relay, events } = await startRelay(relayOptions);
  const { reader, writer } = await connect(tunnelTo(relay, options), target.port, target.hostname);
  const [read, write] = await Promise.all([
    reader.read().then(String, error => error),
    writer.closed.then(String, error => error),
  ]);
  expect(write).toBe(read);
  return { code: read.code, message: read.message, events };
}

test('a target that is not allowed', async () => {
  const { code, message, events } = await failureOf({ allow: ['localhost:443'] });
  expect(code).toBe('ERR_TUNNEL_DENIED');
  expect(message).toContain('--allow denied.test:443');
  expect(events.at(-1)).toMatchObject({ type: 'stream-closed', code: 1, denied: 'denied.test:443' });
});

test('nothing is allowed by default', async () => {
  expect(await failureOf({})).toMatchObject({ code: 'ERR_TUNNEL_DENIED' });
});

test.each(['localhost.', 'LOCALHOST'])('%s is localhost, allowed or not by that name', async hostname => {
  const echo = await startEcho();
  const target = { hostname, port: echo.port };
  expect((await failureOf({ allow: [`localhost:${echo.port + 1}`] }, { target })).code).toBe(
    'ERR_TUNNEL_DENIED',
  );
  const { relay } = await startRelay({ allow: [`localhost:${echo.port}`] });
  const { reader, writer } = await connect(tunnelTo(relay), echo.port, hostname);
  await writer.write(Uint8Array.of(1));
  expect((await reader.read()).value).toHaveLength(1);
});

test.each([
  '2130706433',
  '0x7f000001',
  '127.1',
  '0177.0.0.1',
  '127.0.0.1.',
  '0x7f.1',
  '::ffff:127.0.0.1%lo',
  'a/b',
  '127.0.0.1@x',
  '%31%32%37.0.0.1',
])('the odd spelling %s gets nowhere, even when every host is allowed', async hostname => {
  const echo = await startEcho();
  expect(
    (await failureOf({ allow: [`*:${echo.port}`] }, { target: { hostname, port: echo.port } })).code,
  ).toBe('ERR_TUNNEL_DENIED');
  expect(echo.sockets).toHaveLength(0);
});

test.each([
  ['another', 'wrong-wrong-wrong'],
  ['none', ''],
])('%s token', async (_name, token) => {
  const { code, events } = await failureOf({ tokens: ['right-right-right'], allow: ['*:*'] }, { token });
  expect(code).toBe('ERR_TUNNEL_AUTH');
  expect(events.at(-1)).toMatchObject({ code: 4011 });
  expect(JSON.stringify(events)).not.toMatch(/wrong|right/);
});

test('another origin is refused before anything is connected', async () => {
  const echo = await startEcho();
  const { code, message, events } = await failureOf(
    { allow: [`127.0.0.1:${echo.port}`] },
    { target: { hostname: '127.0.0.1', port: echo.port }, WebSocket: pageWebSocket('http://evil.test') },
  );
  expect(code).toBe('ERR_TUNNEL_AUTH');
  expect(message).toContain('--origin');
  expect(events.at(-1)).toMatchObject({ code: 4010 });
  expect(echo.sockets).toHaveLength(0);
});

test('no origin and no token', async () => {
  const { code } = await failureOf({ allow: ['*:*'] }, { WebSocket: pageWebSocket(null) });
  expect(code).toBe('ERR_TUNNEL_AUTH');
});

test('a target that refuses', async () => {
  const gone = await startEcho();
  gone.server.close();
  const target = { hostname: '127.0.0.1', port: gone.port };
  const { code, message } = await failureOf({ allow: ['127.0.0.1:*'] }, { target });
  expect(code).toBe('ERR_TUNNEL_UNREACHABLE');
  expect(message).toContain('refused');
});

test('a target to which there is no way', async () => {
  const target = { hostname: '255.255.255.255', port: 1 };
  const { code, message, events } = await failureOf({ allow: ['255.255.255.255:1'] }, { target });
  expect(code).toBe('ERR_TUNNEL_UNREACHABLE');
  expect(message).toContain('no way');
  expect(events).toContainEqual(expect.objectContaining({ code: 2, reason: 'network' }));
});

test('a name that does not exist', async () => {
  const target = { hostname: 'no-such-host.invalid', port: 1 };
  const { code, message } = await failureOf({ allow: ['*.invalid:1'] }, { target });
  expect(code).toBe('ERR_TUNNEL_UNREACHABLE');
  expect(message).toContain('cannot resolve');
});

test('a target that does not answer', async () => {
  const target = { hostname: '127.0.0.1', port: await startUnanswering() };
  const { code, message, events } = await failureOf(
    { allow: ['127.0.0.1:*'], connectTimeoutMs: 200 },
    { target },
  );
  expect(code).toBe('ERR_TUNNEL_UNREACHABLE');
  expect(message).toContain('did not answer');
  expect(events.at(-1)).toMatchObject({ type: 'stream-closed', code: 2, reason: 'timeout' });
});

test('idle connections are closed, busy ones are not', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], idleTimeoutMs: 300 });
  const { reader, writer } = await connect(tunnelTo(relay), echo.port);
  for (let count = 0; count < 6; count++) {
    await writer.write(Uint8Array.of(count));
    expect((await reader.read()).value).toEqual(Uint8Array.of(count));
    await sleep(100);
  }
  await expect(reader.read()).rejects.toMatchObject({
    code: 'ERR_TUNNEL_CLOSED',
    message: expect.stringContaining('idle'),
  });
});

test.each([
  ['maxConnections', 'as many connections as it allows'],
  ['maxConnectionsPerAddress', 'from this address'],
])('%s', async (name, message) => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], [name]: 2 });
  const firstTunnel = tunnelTo(relay);
  const first = await connect(firstTunnel, echo.port);
  await connect(tunnelTo(relay), echo.port);
  await until(() => echo.sockets.length === 2);
  const { reader } = await connect(tunnelTo(relay), echo.port);
  await expect(reader.read()).rejects.toMatchObject({
    code: 'ERR_TUNNEL_UNREACHABLE',
    message: expect.stringContaining(message),
  });
  await first.reader.cancel();
  firstTunnel.close();
  await until(() => relay.connections === 1);
  const { reader: later, writer } = await connect(tunnelTo(relay), echo.port);
  await writer.write(Uint8Array.of(1));
  expect((await later.read()).value).toHaveLength(1);
});

test('no relay at the address', async () => {
  const relay = await createRelay({});
  const { url } = relay;
  await relay.close();
  const tunnel = createWebSocketTunnel(`${url}?key=secret`, { WebSocket: pageWebSocket() });
  const error = await tunnel.connect(DENY).catch(error => error);
  expect(error.code).toBe('ERR_TUNNEL_UNREACHABLE');
  expect(error.message).toContain(url);
  expect(error.message).not.toContain('secret');
});

test('a server that is no relay: HTTP 404, and a WebSocket of something else', async () => {
  const http = createHttpServer((_request, response) => response.writeHead(404).end());
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => {
    http.close();
  });
  const other = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => false });
  await once(other, 'listening');
  onTestFinished(() => other.close());
  for (const server of [http, other]) {
    const { port } = server.address() as AddressInfo;
    const tunnel = createWebSocketTunnel(`ws://127.0.0.1:${port}`, { WebSocket: pageWebSocket() });
    await expect(tunnel.connect(DENY)).rejects.toMatchObject({ code: 'ERR_TUNNEL_UNREACHABLE' });
  }
});

test('a server that never answers the upgrade', async () => {
  const silent = await startTarget(() => {});
  const tunnel = createWebSocketTunnel(`ws://127.0.0.1:${silent.port}`, {
    WebSocket: pageWebSocket(),
    openTimeoutMs: 100,
  });
  await expect(tunnel.connect(DENY)).rejects.toMatchObject({ code: 'ERR_TUNNEL_UNREACHABLE' });
});

test('an address behind a NAT64 prefix that is named is judged as its IPv4 address', async () => {
  const { relay, events } = await startRelay({ allow: ['*:*'], nat64Prefixes: ['2400:db8::/96'] });
  const page = await TestPage.open(relay);
  page.open(1, 443, '2400:db8::a00:1');
  expect(await page.reset(1)).toMatchObject({ code: 1 });
  expect(events).toContainEqual(
    expect.objectContaining({ denied: '[2400:db8::a00:1]:443 at 2400:db8::a00:1 (private)' }),
  );
});
