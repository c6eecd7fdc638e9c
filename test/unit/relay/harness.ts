import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { createRelay, type Relay, type RelayEvent, type RelayOptions } from '../../../src/relay/index.js';
import type { Tunnel, TunnelStream } from '../../../src/tunnel/tunnel.js';
import { createWebSocketTunnel, type WebSocketTunnelOptions } from '../../../src/tunnel/websocket-tunnel.js';

export const ORIGIN = 'http://page.test';

/** `ws` as a page's WebSocket: it sends an Origin, as each browser does. */
export function pageWebSocket(origin: string | undefined = ORIGIN): typeof globalThis.WebSocket {
  class PageWebSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, origin === undefined ? {} : { origin });
    }
  }
  return PageWebSocket as unknown as typeof globalThis.WebSocket;
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

export function tunnelTo(relay: Relay, options: WebSocketTunnelOptions = {}): Tunnel {
  return createWebSocketTunnel(relay.url, { WebSocket: pageWebSocket(), ...options });
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

/** Waits until something holds, and fails when it does not within five seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition did not come to hold');
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

export function sleep(timeMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, timeMs));
}
