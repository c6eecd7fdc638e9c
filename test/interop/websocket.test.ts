import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import type { Relay } from '../../relay/src/index.js';
import type { Identity, MtlsClient } from '../../src/index.js';
import { clientOf, identityOf, startRelay, withClient } from '../support/client.js';
import { documented } from '../support/documented.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startPythonEcho } from '../support/websockets/python.js';
import { endOf, messages, opened } from '../unit/websocket/support/servers.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
const VERSIONS = ['TLSv1.3', 'TLSv1.2'] as const;
let relay: Relay;
let backend: Server;
let nginx: Nginx;
let python: Awaited<ReturnType<typeof startPythonEcho>>;
let client: MtlsClient;
let identity: Identity;

beforeAll(async () => {
  relay = await startRelay();
  backend = await startBackend();
  const backendPort = (backend.address() as AddressInfo).port;
  const both = VERSIONS.map(tls => ({ server, tls, http2: true, clientCa: pki.ca.cert }));
  nginx = await startNginx(both, { backendPort });
  python = await startPythonEcho({ server, clientCa: pki.ca.cert });
  client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
  identity = await identityOf(pair);
}, 60_000);

afterAll(async () => {
  await client?.close();
  await relay?.close();
  await nginx?.stop();
  await python?.stop();
  backend?.close();
  pki.close();
});

/** Says first who the proxy says the client is, then echoes. */
async function startBackend(): Promise<Server> {
  const http = createServer((_, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ server: http, maxPayload: 1 << 26 });
  sockets.on('connection', (socket, request) => {
    socket.send(String(request.headers['x-client']));
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return http;
}

describe.each([0, 1])('nginx before a WebSocket server, %#', index => {
  const urlOf = (path = '/sockets/') => `wss://localhost:${nginx.ports[index]}${path}`;

  test('passes messages on, and who the client is', async () => {
    const socket = new client.WebSocket(urlOf());
    socket.binaryType = 'arraybuffer';
    const received = messages(socket, 4);
    await opened(socket);
    const large = randomBytes(8 << 20);
    socket.send('text');
    socket.send(large);
    socket.send('');
    const [who, text, bytes, last] = await received;
    expect([who, text, last]).toEqual(['CN=Client', 'text', '']);
    expect(Buffer.from(bytes as ArrayBuffer).equals(large)).toBe(true);
    socket.close(1000, 'done');
    expect(await endOf(socket)).toEqual({ code: 1000, reason: 'done', wasClean: true });
  });

  test('is told apart when it refuses the client, or has no WebSocket there', async () => {
    const none = await withClient({ relay, ca: pki.ca.cert }, nobody => endOf(new nobody.WebSocket(urlOf())));
    expect(none).toMatchObject({ code: 1006, error: 'ERR_TLS_CLIENT_CERT_REQUIRED' });
    const nowhere = await endOf(new client.WebSocket(urlOf('/')));
    expect(nowhere).toMatchObject({
      code: 1006,
      error: 'ERR_WEBSOCKET_HANDSHAKE',
      message: expect.stringContaining('200'),
    });
  });
});

describe('Python’s websockets', () => {
  const open = (protocols?: string[]) => new client.WebSocket(`wss://localhost:${python.port}/`, protocols);

  test('takes part in everything', async () => {
    const socket = await opened(open(['v0', 'v1']));
    socket.binaryType = 'arraybuffer';
    expect([socket.protocol, socket.extensions]).toEqual(['v1', '']);
    const received = messages(socket, 5);
    const large = randomBytes(4 << 20);
    socket.send('who');
    socket.send('fragments');
    socket.send('ping');
    socket.send('grüße');
    socket.send(large);
    const [who, fragments, pong, text, bytes] = await received;
    expect([who, fragments, pong, text]).toEqual(['Client', 'one two three', 'pong came', 'grüße']);
    expect(Buffer.from(bytes as ArrayBuffer).equals(large)).toBe(true);
    socket.close(3000, 'bye');
    expect(await endOf(socket)).toEqual({ code: 3000, reason: 'bye', wasClean: true });
  });

  test('closes', async () => {
    const socket = await opened(open());
    socket.send('close');
    expect(await endOf(socket)).toEqual({ code: 4001, reason: 'as asked', wasClean: true });
  });
});

interface Setting {
  relay: string;
  anchor: string;
  identity: Identity;
  address: string;
}

interface Example {
  ask(question: string, setting: Setting): Promise<string>;
}

test('the example of the documentation asks, and tells where no WebSocket is', async () => {
  const { ask } = await documented<Example>('docs/websocket.md', 'ask');
  const setting = { relay: relay.url, anchor: pki.ca.cert, identity };
  const address = `wss://localhost:${python.port}/`;
  expect(await ask('how are you?', { ...setting, address })).toBe('how are you?');
  const elsewhere = `wss://localhost:${nginx.ports[0]}/`;
  expect(await ask('how are you?', { ...setting, address: elsewhere })).toBe('no WebSocket here');
});
