import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Tunnel, TunnelStream } from '../../../src/tunnel/tunnel.js';
import {
  createWebSocketTunnel,
  type WebSocketTunnel,
  type WebSocketTunnelOptions,
} from '../../../src/tunnel/websocket-tunnel.js';
import { createRelay, type Relay, type RelayEvent, type RelayOptions } from '../../src/index.js';

export const ORIGIN = 'http://page.test';

/** `ws` as a page's WebSocket: it sends an Origin, as each browser does. */
export function pageWebSocket(
  origin: string | null = ORIGIN,
  { localAddress = '127.0.0.1' } = {},
): typeof globalThis.WebSocket {
  class PageWebSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { ...(origin === null ? {} : { origin }), localAddress });
    }
  }
  return PageWebSocket as unknown as typeof globalThis.WebSocket;
}

/** The request of a page, for those who then speak WebSocket by hand. */
export const UPGRADE =
  'GET / HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: browser-mtls.v2\r\nOrigin: ${ORIGIN}\r\n\r\n`;

/** A TCP connection to a relay, which ends with the test; all of 127.0.0.0/8 is an address of this machine's own. */
export async function dialRelay(relay: Relay, localAddress = '127.0.0.1'): Promise<Socket> {
  const { port } = relay.address;
  const socket = connectTcp({ port, host: '127.0.0.1', localAddress }).setNoDelay();
  socket.on('error', () => {});
  socket.resume();
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return socket;
}

/** A WebSocket spoken by hand, which answers no close. */
export interface RawPage {
  socket: Socket;
  /** Of the relay's answer to the upgrade. */
  statusCode: number;
  /** Resolves with all that came behind the relay's answer, as soon as the condition holds for it; works with fake timers too. */
  receives(condition: (received: Buffer) => boolean): Promise<Buffer>;
}

export async function upgradeRaw(
  relay: Relay,
  { origin = ORIGIN, localAddress = '127.0.0.1' } = {},
): Promise<RawPage> {
  const socket = await dialRelay(relay, localAddress);
  let received = Buffer.alloc(0);
  socket.on('data', chunk => {
    received = Buffer.concat([received, chunk]);
  });
  socket.write(UPGRADE.replace(ORIGIN, origin), 'latin1');
  while (!received.includes('\r\n\r\n') && !socket.closed) {
    await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  }
  const head = received.subarray(0, received.indexOf('\r\n\r\n') + 4);
  return {
    socket,
    statusCode: Number(head.toString().split(' ')[1]),
    async receives(condition) {
      while (!condition(received.subarray(head.length))) await once(socket, 'data');
      return received.subarray(head.length);
    },
  };
}

const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** A WebSocket frame of a client (RFC 6455 section 5.2), masked with zeros. */
export function clientFrame(
  type: keyof typeof OPCODES,
  payload: Uint8Array = new Uint8Array(),
  { final = true } = {},
): Buffer {
  const first = OPCODES[type] | (final ? 0x80 : 0);
  const length = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255];
  return Buffer.from([first, (length[0] ?? 0) | 0x80, ...length.slice(1), 0, 0, 0, 0, ...payload]);
}

export interface Target {
  port: number;
  sockets: Socket[];
  server: Server;
}

/** A TCP server that ends with the test. Half-open connections are up to the handler. */
export async function startTarget(onConnection: (socket: Socket) => void): Promise<Target> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.push(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets, server };
}

export function startEcho(): Promise<Target> {
  return startTarget(socket => socket.pipe(socket));
}

/** The port of a TCP server on which connections are never completed: its process stands still and its backlog is full. */
export async function startUnanswering(host = '127.0.0.1'): Promise<number> {
  const script = `const server = require('node:net').createServer();
    server.listen({ port: 0, host: '${host}', backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const fillers: Socket[] = [];
  onTestFinished(() => {
    for (const socket of fillers) socket.destroy();
    child.kill('SIGKILL');
  });
  const [output] = await once(child.stdout, 'data');
  const port = Number(String(output));
  child.kill('SIGSTOP');
  for (;;) {
    const socket = connectTcp(port, '127.0.0.1');
    socket.on('error', () => {});
    fillers.push(socket);
    await Promise.race([once(socket, 'connect'), sleep(200)]);
    if (socket.connecting) return port;
  }
}

export interface TestRelay {
  relay: Relay;
  events: RelayEvent[];
}

/** A relay that serves `ORIGIN` and ends with the test. */
export async function startRelay(options: RelayOptions): Promise<TestRelay> {
  const events: RelayEvent[] = [];
  const relay = await createRelay({ origins: [ORIGIN], log: event => events.push(event), ...options });
  onTestFinished(() => relay.close());
  return { relay, events };
}

/** A tunnel that ends with the test; its WebSocket opens with the first stream. */
export function tunnelTo(relay: Pick<Relay, 'url'>, options: WebSocketTunnelOptions = {}): WebSocketTunnel {
  const usual = { WebSocket: pageWebSocket(), connectAt: 'first-use' as const };
  const tunnel = createWebSocketTunnel(relay.url, { ...usual, ...options });
  onTestFinished(() => tunnel.close());
  return tunnel;
}

export interface Client {
  stream: TunnelStream;
  reader: ReadableStreamDefaultReader<Uint8Array>;
  writer: WritableStreamDefaultWriter<Uint8Array>;
}

export async function connect(tunnel: Tunnel, port: number, hostname = '127.0.0.1'): Promise<Client> {
  const stream = await tunnel.connect({ hostname, port });
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {});
  return { stream, reader: stream.readable.getReader(), writer };
}

export async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks);
    chunks.push(value);
  }
}

/** Waits until something holds, and fails when it does not within fifteen seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition did not come to hold');
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

export function sleep(timeMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, timeMs));
}
