import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import type { Writable } from 'node:stream';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Relay } from '../../../relay/src/index.js';
import {
  createClient,
  createWebSocketTunnel,
  type MtlsClient,
  type WebSocketErrorEvent,
} from '../../../src/index.js';
import { startRelay } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import { type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { tcpTunnel } from '../../support/tcp-tunnel.js';

/** In two pieces, of which a reader has the first before the failure. */
const FIRST = 'x'.repeat(44);
const ANSWER = FIRST + 'y'.repeat(760);
/** More than is on its way from a client to a server that does not read. */
const MUCH_BYTES = 32 * 1024 * 1024;
const TRUNCATED = { code: 'ERR_TLS_TRUNCATED' };

let pki: OpensslPki;
let pair: KeyPair;
let relay: Relay;
let client: MtlsClient | undefined;
let server: Server;
const sockets = new Set<NetSocket>();

beforeAll(async () => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  relay = await startRelay();
});
afterEach(async () => {
  await client?.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  answered.length = 0;
  server.close();
});
afterAll(async () => {
  await relay.close();
  pki.close();
});

async function listen(made: Server): Promise<number> {
  server = made;
  server.on('connection', socket => sockets.add(socket.on('error', () => {})));
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const sleep = (timeMs: number) => new Promise(resolve => setTimeout(resolve, timeMs));

/** Resets the connections when what they said has arrived, while more is on its way to them. */
async function resetSoon(): Promise<void> {
  await sleep(500);
  for (const socket of sockets) socket.resetAndDestroy();
}

/** Bytes without end. */
function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(64 * 1024)) });
}

interface Answer {
  status: number;
  body: string;
  /** The announced length. Default: that of `body`. */
  announced?: number;
}

/** What is left open of the answers whose announced length is another. */
const answered: Writable[] = [];

/** A server that answers as soon as it has some of a body, and reads no more. */
function answering(protocol: 'h2' | 'http/1.1', { status, body, announced }: Answer): Server {
  const headers = { 'content-length': announced ?? body.length };
  const say = (answer: Writable) => {
    answer.write(body);
    if (announced === undefined) answer.end();
    else answered.push(answer);
  };
  if (protocol === 'http/1.1') {
    return https.createServer(pair, (request, response) => {
      request.once('data', () => {
        request.pause();
        response.writeHead(status, headers);
        say(response);
      });
    });
  }
  const made = http2.createSecureServer(pair);
  made.on('sessionError', () => {});
  made.on('stream', stream => {
    stream.on('error', () => {});
    stream.once('data', () => {
      stream.pause();
      stream.respond({ ':status': status, ...headers });
      say(stream);
    });
  });
  return made as unknown as Server;
}

it.each(['h2', 'http/1.1'] as const)(
  'an answer over %s waits for a page that is slow to read it',
  async protocol => {
    // More than is read ahead of the page, less than the tunnel holds.
    const body = 'z'.repeat(700_000);
    const port = await listen(answering(protocol, { status: 200, body }));
    client = await createClient({
      tunnel: createWebSocketTunnel(relay.url, { WebSocket: WebSocket as never }),
      trust: { anchors: [pki.ca.cert] },
      engine: engineModule(),
    });
    const response = await client.fetch(`https://localhost:${port}/`, { method: 'POST', body: endless() });
    await resetSoon();
    await sleep(5_500);
    expect((await response.text()).length).toBe(body.length);
  },
);

describe.each([
  ['a relay', () => createWebSocketTunnel(relay.url, { WebSocket: WebSocket as never })],
  ['a tunnel of TCP', () => tcpTunnel],
])('through %s, of a server that answers and resets while it is written to', (_, tunnelOf) => {
  const makeClient = async () => {
    client = await createClient({
      tunnel: tunnelOf(),
      trust: { anchors: [pki.ca.cert] },
      engine: engineModule(),
    });
    return client;
  };

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a socket over %s reads the whole answer, and then fails',
    async version => {
      const options: TlsOptions = { ...pair, minVersion: version, maxVersion: version };
      const port = await listen(
        createServer(options, socket => {
          socket.on('error', () => {});
          socket.once('data', () => {
            socket.pause();
            socket.write(FIRST);
            setTimeout(() => socket.write(ANSWER.slice(FIRST.length)), 50);
          });
        }),
      );
      const socket = (await makeClient()).connect(`localhost:${port}`);
      const reader = socket.readable.getReader();
      const writer = socket.writable.getWriter();
      writer.closed.catch(() => {});
      const writing = writer.write(new Uint8Array(MUCH_BYTES));
      writing.catch(() => {});
      let read = Buffer.from((await reader.read()).value ?? []).toString();
      expect(read).toBe(FIRST);
      await resetSoon();
      await expect(writing).rejects.toMatchObject(TRUNCATED);
      await expect(socket.closed).rejects.toMatchObject(TRUNCATED);
      const reading = (async () => {
        for (;;) read += Buffer.from((await reader.read()).value ?? []).toString();
      })();
      await expect(reading).rejects.toMatchObject(TRUNCATED);
      expect(read).toBe(ANSWER);
    },
  );

  it.each([
    ['h2', 200],
    ['h2', 413],
    ['http/1.1', 200],
    ['http/1.1', 413],
  ] as const)('an upload over %s has its answer, %d', async (protocol, status) => {
    const body = ANSWER.repeat(100);
    const port = await listen(answering(protocol, { status, body }));
    const { fetch } = await makeClient();
    const ask = () => fetch(`https://localhost:${port}/`, { method: 'POST', body: endless() });
    const response = await ask();
    expect(response.status).toBe(status);
    await resetSoon();
    // Not before the failure.
    await sleep(200);
    expect(await response.text()).toBe(body);
    // The next request takes another connection.
    expect(await (await ask()).text()).toBe(body);
  });

  it.each(['h2', 'http/1.1'] as const)(
    'a part of an answer over %s is read, and then fails',
    async protocol => {
      // A reader has the first piece before the failure.
      const port = await listen(answering(protocol, { status: 200, body: FIRST, announced: 10_000 }));
      const { fetch } = await makeClient();
      const response = await fetch(`https://localhost:${port}/`, { method: 'POST', body: endless() });
      const reader = response.body?.getReader();
      const first = await reader?.read();
      expect(Buffer.from(first?.value ?? []).toString()).toBe(FIRST);
      for (const socket of answered) socket.write(ANSWER.slice(FIRST.length));
      await resetSoon();
      await sleep(200);
      let rest = '';
      const reading = (async () => {
        for (;;) rest += Buffer.from((await reader?.read())?.value ?? []).toString();
      })();
      await expect(reading).rejects.toMatchObject(TRUNCATED);
      expect(rest).toBe(ANSWER.slice(FIRST.length));
    },
  );

  it('a WebSocket has its messages', async () => {
    const pages = https.createServer(pair);
    new WebSocketServer({ server: pages }).on('connection', (socket, request) => {
      request.socket.pause();
      socket.send(FIRST);
      socket.send(ANSWER);
    });
    const port = await listen(pages);
    const made = await makeClient();
    const socket = new made.WebSocket(`wss://localhost:${port}/`);
    const events: unknown[] = [];
    socket.onopen = () => socket.send(new Uint8Array(MUCH_BYTES));
    socket.onmessage = ({ data }) => events.push(data);
    socket.onerror = event => events.push((event as WebSocketErrorEvent).error);
    await expect.poll(() => events.length).toBe(2);
    await resetSoon();
    await once(socket, 'close');
    expect(events).toEqual([FIRST, ANSWER, expect.objectContaining(TRUNCATED)]);
  });
});
