import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { MeasuredBrowser } from '../support/measured-page.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';

const MIB = 1 << 20;
const GIB = 1 << 30;
const STALL_MS = 6_000;
/** The kernel's buffers of two TCP connections, and the fixed windows of relay, tunnel and client. */
const MOST_IN_FLIGHT_BYTES = 40 * MIB;
const MOST_GROWTH_BYTES = 64 * MIB;
/** What Chromium lets lie of buffers that nobody refers to any more, where bytes go on passing. */
const MOST_GARBAGE_BYTES = 128 * MIB;

declare global {
  /** What a test keeps in its page. */
  var kept: unknown;
  var taken: number;
}

const pki = new OpensslPki('Test CA');
const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const block = Buffer.alloc(64 * 1024, 7);
const targets: NodeServer[] = [];
/** All sockets of the servers below. */
const sockets = new Set<Socket>();
let browser: MeasuredBrowser;
let webSocketServer: Server;
let tlsServer: Server;

/** Sends a GiB, as fast as it is taken. */
function flood(send: (done: () => void) => void): void {
  let left = GIB;
  const more = () => {
    left -= block.length;
    if (left >= 0) send(more);
  };
  more();
}

beforeAll(async () => {
  for (const http2 of [true, false]) {
    targets.push(await startNodeServer({ server: pair, clientCa: pki.ca.cert, requireClient: false, http2 }));
  }
  const https = createHttpsServer({ ...pair });
  new WebSocketServer({ server: https }).on('connection', webSocket => {
    webSocket.on('error', () => {});
    flood(done => webSocket.send(block, error => void (error ?? done())));
  });
  webSocketServer = https;
  tlsServer = createTlsServer({ ...pair }, socket => {
    socket.on('error', () => {});
    flood(done => socket.write(block, error => void (error ?? done())));
  });
  for (const server of [webSocketServer, tlsServer]) {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  }
  browser = await MeasuredBrowser.start([
    ...targets.map(({ port }) => port),
    portOf(webSocketServer),
    portOf(tlsServer),
  ]);
});

afterAll(async () => {
  await browser?.stop();
  for (const target of targets) await target.stop();
  for (const socket of sockets) socket.destroy();
  webSocketServer?.close();
  tlsServer?.close();
  pki.close();
});

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const sentBytes = () => [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
const origin = (index: number) => `https://localhost:${targets[index]?.port}`;

test.each([
  ['h2', 0],
  ['http/1.1', 1],
] as const)('a server that reads nothing of 1 GiB over %s holds the page back', async (_protocol, index) => {
  const measured = await browser.open(pki, `${origin(index)}/`);
  try {
    const options = { address: `${origin(index)}/wait`, size: GIB };
    await measured.page.evaluate(({ address, size }) => {
      globalThis.taken = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          taken += 65_536;
          controller.enqueue(new Uint8Array(65_536).fill(7));
          if (taken === size) controller.close();
        },
      });
      globalThis.kept = client.fetch(address, { method: 'POST', body }).catch(() => {});
    }, options);
    const early = await measured.peakGrowth(STALL_MS);
    const before = await measured.page.evaluate(() => taken);
    const late = await measured.peakGrowth(STALL_MS);
    expect(await measured.page.evaluate(() => taken)).toBe(before);
    expect(before).toBeLessThan(MOST_IN_FLIGHT_BYTES);
    // While the windows fill, bytes pass.
    expect(Math.max(early.page, late.page)).toBeLessThan(MOST_GROWTH_BYTES + MOST_GARBAGE_BYTES);
    expectBounded(await measured.heldGrowth());
    await measured.page.evaluate(() => client.close());
  } finally {
    await measured.close();
  }
});

test('a WebSocket whose page is busy with each message holds the server back', async () => {
  const measured = await browser.open(pki, `${origin(0)}/`);
  try {
    const before = sentBytes();
    await measured.page.evaluate(
      address => {
        globalThis.taken = 0;
        const webSocket = new client.WebSocket(address);
        webSocket.binaryType = 'arraybuffer';
        webSocket.addEventListener('message', ({ data }) => {
          taken += (data as ArrayBuffer).byteLength;
          for (const endMs = performance.now() + 50; performance.now() < endMs; );
        });
        globalThis.kept = webSocket;
      },
      `wss://localhost:${portOf(webSocketServer)}/`,
    );
    const growth = await measured.peakGrowth(2 * STALL_MS);
    const sent = sentBytes() - before;
    const arrived = await measured.page.evaluate(() => globalThis.taken);
    expect(arrived).toBeGreaterThan(MIB);
    expect(sent - arrived).toBeLessThan(MOST_IN_FLIGHT_BYTES);
    const held = await measured.heldGrowth();
    expect(growth.page).toBeLessThan(MOST_GROWTH_BYTES + MOST_GARBAGE_BYTES);
    expectBounded(held);
  } finally {
    await measured.close();
  }
});

test('a socket that nobody reads holds the server back', async () => {
  const measured = await browser.open(pki, `${origin(0)}/`);
  try {
    const before = sentBytes();
    await measured.page.evaluate(async port => {
      const socket = client.connect({ hostname: 'localhost', port });
      globalThis.kept = socket;
      await socket.opened;
    }, portOf(tlsServer));
    const early = await measured.peakGrowth(STALL_MS);
    const sent = sentBytes();
    const late = await measured.peakGrowth(STALL_MS);
    expect(sent - before).toBeGreaterThan(MIB);
    expect(sent - before).toBeLessThan(MOST_IN_FLIGHT_BYTES);
    expect(sentBytes() - sent).toBeLessThan(MIB);
    expectBounded(early, late);
    await measured.page.evaluate(() => client.close());
  } finally {
    await measured.close();
  }
});

function expectBounded(...growths: { page: number; relay: number }[]): void {
  for (const { page, relay } of growths) {
    expect(page).toBeLessThan(MOST_GROWTH_BYTES);
    expect(relay).toBeLessThan(MOST_GROWTH_BYTES);
  }
}
