import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { createWebSocketTunnel } from '../../src/tunnel/websocket-tunnel.js';
import { OpensslPki } from '../../test/support/openssl-pki.js';
import { createRelay, type RelayOptions } from '../src/index.js';
import {
  connect,
  dialRelay,
  ORIGIN,
  pageWebSocket,
  startEcho,
  startRelay,
  tunnelTo,
  UPGRADE,
  until,
} from './support/harness.js';

test('on an existing server it takes its path and leaves the rest alone', async () => {
  const echo = await startEcho();
  const server = createServer((_request, response) => response.end('the app'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const { relay } = await startRelay({ server, path: '/tunnel', allow: [`127.0.0.1:${echo.port}`] });
  expect(relay.url).toBe(`ws://127.0.0.1:${port}/tunnel`);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('the app');

  const { reader, writer } = await connect(tunnelTo(relay), echo.port);
  await writer.write(Uint8Array.of(7));
  expect((await reader.read()).value).toEqual(Uint8Array.of(7));
  const elsewhere = createWebSocketTunnel(`ws://127.0.0.1:${port}/other`, { WebSocket: pageWebSocket() });
  await expect(elsewhere.connect({ hostname: 'x', port: 1 })).rejects.toMatchObject({
    code: 'ERR_TUNNEL_UNREACHABLE',
  });

  await relay.close();
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('the app');
});

test('on an HTTPS server its address is wss:', async () => {
  const pki = new OpensslPki();
  const { cert, key } = pki.issue({ subject: '/CN=localhost', altNames: 'IP:127.0.0.1' });
  const server = createHttpsServer({ cert, key });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    pki.close();
  });
  const echo = await startEcho();
  const { relay } = await startRelay({ server, allow: [`127.0.0.1:${echo.port}`] });
  expect(relay.url).toBe(`wss://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  class Trusting extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { origin: ORIGIN, ca: pki.ca.cert });
    }
  }
  const trusting = Trusting as unknown as typeof globalThis.WebSocket;
  const { reader, writer } = await connect(tunnelTo(relay, { WebSocket: trusting }), echo.port);
  await writer.write(Uint8Array.of(7));
  expect((await reader.read()).value).toEqual(Uint8Array.of(7));
});

test('a plain HTTP request is told what this is', async () => {
  const { relay } = await startRelay({});
  const response = await fetch(relay.url.replace('ws:', 'http:'));
  expect(response.status).toBe(426);
});

test('a taken port rejects with EADDRINUSE', async () => {
  const { relay } = await startRelay({});
  await expect(createRelay({ listen: `127.0.0.1:${relay.address.port}` })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});

test('pages that answer no ping are dropped, the others stay', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], pingIntervalMs: 50 });
  const alive = await connect(tunnelTo(relay), echo.port);
  const dead = new WebSocket(relay.url, 'browser-mtls.v2', { origin: ORIGIN, autoPong: false });
  await once(dead, 'open');
  await until(() => relay.connections === 2);
  await once(dead, 'close');
  await until(() => relay.connections === 1);
  await alive.writer.write(Uint8Array.of(1));
  expect((await alive.reader.read()).value).toHaveLength(1);
});

test('a page that says no hello is dropped', async () => {
  const { relay } = await startRelay({ helloTimeoutMs: 50 });
  const silent = new WebSocket(relay.url, 'browser-mtls.v2', { origin: ORIGIN });
  const [code] = await once(silent, 'close');
  expect(code).toBe(4002);
});

test('a page that vanishes resets its target', async () => {
  let errorCode: string | undefined;
  const echo = await startEcho();
  echo.server.on('connection', socket => {
    socket.on('error', (error: NodeJS.ErrnoException) => {
      errorCode = error.code;
    });
  });
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`] });
  const sockets: WebSocket[] = [];
  class Recorded extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { origin: ORIGIN });
      sockets.push(this);
    }
  }
  const recorded = Recorded as unknown as typeof globalThis.WebSocket;
  const { reader } = await connect(tunnelTo(relay, { WebSocket: recorded }), echo.port);
  await until(() => echo.sockets.length === 1);
  sockets[0]?.terminate();
  await until(() => errorCode === 'ECONNRESET');
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
});

test('sockets that never become a WebSocket do not keep it from closing', async () => {
  const relay = await createRelay({});
  const socket = await dialRelay(relay);
  await relay.close();
  await until(() => socket.destroyed);
});

// Longer than its 10 s: Node looks at the time of unfinished requests once a second.
test('half an upgrade request is given up', { timeout: 25_000 }, async () => {
  const { relay } = await startRelay({});
  const socket = await dialRelay(relay);
  const closed = once(socket, 'close');
  socket.write(UPGRADE.slice(0, UPGRADE.length / 2));
  expect(String(await once(socket, 'data'))).toContain('HTTP/1.1 408 ');
  await closed;
});

const wrongOptions: [string, RelayOptions][] = [
  ['listen', { listen: '8080' }],
  ['listen port', { listen: 'localhost:65536' }],
  ['path', { path: 'tunnel' }],
  ['allow', { allow: ['example.com'] }],
  ['resolver', { resolver: 'hosts' as never }],
  ['DNS server', { dnsServers: ['dns.example.com'] }],
  ['port of a DNS server', { dnsServers: ['10.0.0.53:0'] }],
  ['DNS server of the system', { resolver: 'system', dnsServers: ['10.0.0.53'] }],
  ['origins', { origins: ['https://example.com/app'] }],
  ['short token', { tokens: ['fifteen-bytes-x'] }],
  ['trustedProxies', { trustedProxies: ['10.0.0.0/33'] }],
  ['proxyProtocol', { proxyProtocol: true }],
  ['bytesPerSecond', { bytesPerSecond: 100 }],
  ['maxUnproven', { maxUnproven: 0 }],
  ['windowBytes', { windowBytes: 1000 }],
  ['maxWindowBytes', { maxWindowBytes: 131_072 }],
  ['maxStreams', { maxStreams: 65_536 }],
  ['connectTimeoutMs', { connectTimeoutMs: 0 }],
  ['idleTimeoutMs', { idleTimeoutMs: -1 }],
  ['maxConnections', { maxConnections: Number.NaN }],
  ['log', { log: 'console' as never }],
  ['observeBytes', { observeBytes: {} as never }],
];

test.each(wrongOptions)('a wrong %s is a TypeError', async (_name, options) => {
  await expect(createRelay(options)).rejects.toThrow(TypeError);
});
