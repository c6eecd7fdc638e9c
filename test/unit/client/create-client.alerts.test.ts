import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Relay } from '../../../relay/src/index.js';
import {
  createClient,
  createWebSocketTunnel,
  type MtlsClient,
  type TunnelStream,
  type WebSocketErrorEvent,
} from '../../../src/index.js';
import { attacked, secretsOf } from '../../support/attacked-tunnel.js';
import { startRelay } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import { type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { type AttackedSuite, suites } from '../../support/server-records.js';
import { dialTcp } from '../../support/tcp-tunnel.js';

const ALERT = 21;
const CUE = 'cue-cue-';
/** More than what is on the way from a client to a server that does not read. */
const MUCH_BYTES = 32 * 1024 * 1024;

let pki: OpensslPki;
let pair: KeyPair;
let server: Server;
let client: MtlsClient;
const sockets = new Set<{ destroy(): void }>();

beforeAll(() => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
});
afterEach(async () => {
  await client.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server.close();
});
afterAll(() => pki.close());

interface Scene {
  made: Server;
  /** What the client's tunnel puts behind the server's cue: an alert, or another record. */
  alert: Buffer;
  type?: number;
  dial?: (port: number) => TunnelStream | Promise<TunnelStream>;
}

/** Makes the client; gives the server's port. */
async function scene(
  suite: AttackedSuite,
  { made, alert, type = ALERT, dial = dialTcp }: Scene,
): Promise<number> {
  server = made;
  server.on('connection', socket => sockets.add(socket.on('error', () => {})));
  server.on('tlsClientError', () => {});
  const secrets = secretsOf(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connect = async () =>
    attacked(await dial(port), secrets, {
      suite,
      cue: ({ content }) => content.includes(CUE),
      attack: records => [records.seal(type, alert)],
    });
  client = await createClient({
    tunnel: { connect },
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
  });
  return port;
}

const limits = (suite: AttackedSuite) => {
  const { version } = suites[suite];
  return { ...pair, ciphers: suite, minVersion: version, maxVersion: version } as const;
};
const internalError = Buffer.of(2, 80);
const closeNotify = Buffer.of(1, 0);

describe.each(Object.keys(suites) as AttackedSuite[])('with %s, while the server reads nothing', suite => {
  const telling = () => createServer(limits(suite), socket => socket.on('error', () => {}).write(CUE));

  it('a fatal alert ends a socket and what is being written', async () => {
    const port = await scene(suite, { made: telling(), alert: internalError });
    const socket = client.connect(`localhost:${port}`);
    const writing = socket.writable.getWriter().write(new Uint8Array(MUCH_BYTES));
    const code = 'ERR_TLS_ALERT';
    const failures = Promise.all([
      expect(writing).rejects.toMatchObject({ code }),
      expect(socket.closed).rejects.toMatchObject({ code }),
    ]);
    const reader = socket.readable.getReader();
    await expect(
      (async () => {
        while (!(await reader.read()).done);
      })(),
    ).rejects.toMatchObject({ code });
    await failures;
  });

  it('close_notify ends the reading of a socket', async () => {
    const port = await scene(suite, { made: telling(), alert: closeNotify });
    const socket = client.connect(`localhost:${port}`, { allowHalfOpen: true });
    const writing = socket.writable.getWriter().write(new Uint8Array(MUCH_BYTES));
    writing.catch(() => {});
    expect(await new Response(socket.readable).text()).toBe(CUE);
    await socket.close();
    await expect(writing).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
  });

  it.each([
    ['a fatal alert', internalError, 'ERR_TLS_ALERT'],
    ['close_notify', closeNotify, 'ERR_WEBSOCKET_CLOSED'],
  ])('%s ends a WebSocket, behind what had come', async (_, alert, code) => {
    const made = createHttpsServer(limits(suite));
    new WebSocketServer({ server: made }).on('connection', (socket, request) => {
      request.socket.pause();
      socket.send(CUE);
    });
    const port = await scene(suite, { made, alert });
    const socket = new client.WebSocket(`wss://localhost:${port}/`);
    const events: unknown[] = [];
    socket.onopen = () => socket.send(new Uint8Array(MUCH_BYTES));
    socket.onmessage = ({ data }) => events.push(data);
    socket.onerror = event => events.push((event as WebSocketErrorEvent).error);
    const [end] = await once(socket, 'close');
    expect(end).toMatchObject({ code: 1006, wasClean: false });
    expect(events).toEqual([CUE, expect.objectContaining({ code })]);
  });
});

describe.each(Object.keys(suites) as AttackedSuite[])('with %s, through a relay', suite => {
  const HANDSHAKE = 22;
  /** It comes in a handshake alone. */
  const finished = Buffer.of(20, 0, 0, 0);
  let relay: Relay;
  let alerts: Set<number>;

  beforeEach(async () => {
    relay = await startRelay();
  });
  afterEach(() => relay.close());

  /** A server that reads, is attacked, and tells the alerts that its OpenSSL gets. */
  const breached = (made: Server) => {
    alerts = new Set();
    made.on('secureConnection', socket =>
      socket.on('error', ({ message }) => {
        alerts.add(Number(/SSL alert number (\d+)/.exec(message)?.[1]));
      }),
    );
    const tunnel = createWebSocketTunnel(relay.url, { WebSocket: WebSocket as never });
    const dial = (port: number) => tunnel.connect({ hostname: 'localhost', port });
    return scene(suite, { made, alert: finished, type: HANDSHAKE, dial });
  };

  it('the alert for a breach reaches a server that a socket writes to', async () => {
    const port = await breached(createServer(limits(suite), socket => socket.resume().write(CUE)));
    const socket = client.connect(`localhost:${port}`);
    const writer = socket.writable.getWriter();
    const writing = (async () => {
      for (;;) await writer.write(new Uint8Array(100_000));
    })();
    const code = 'ERR_TLS_PROTOCOL';
    await Promise.all([
      expect(writing).rejects.toMatchObject({ code }),
      expect(socket.closed).rejects.toMatchObject({ code }),
    ]);
    await expect.poll(() => [...alerts]).toEqual([10]);
  });

  it('the alert for a breach reaches a server that a body is sent to', async () => {
    const made = createHttpsServer(limits(suite), (request, response) => {
      request.once('data', () => response.writeEarlyHints({ link: `</${CUE}>` }));
      request.resume().on('error', () => {});
    });
    const port = await breached(made);
    const body = new ReadableStream<Uint8Array>({
      pull: controller => controller.enqueue(new Uint8Array(100_000)),
    });
    const answer = client.fetch(`https://localhost:${port}/`, { method: 'POST', body });
    await expect(answer).rejects.toMatchObject({ code: 'ERR_TLS_PROTOCOL' });
    await expect.poll(() => [...alerts]).toEqual([10]);
  });
});
