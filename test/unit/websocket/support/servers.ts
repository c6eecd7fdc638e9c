import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { type ServerOptions, WebSocketServer } from 'ws';
import {
  type ClientOptions,
  createClient,
  type Identity,
  type MtlsClient,
  type WebSocketErrorEvent,
} from '../../../../src/index.js';
import { identityOf } from '../../../support/client.js';
import { engineModule } from '../../../support/engine.js';
import { type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { tcpTunnel } from '../../../support/tcp-tunnel.js';

/** Servers and clients of one test file; `close` ends them all. */
export class Stage {
  readonly pki = new OpensslPki();
  readonly serverPair: KeyPair = this.pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  readonly #ada: KeyPair = this.pki.issue({ subject: '/CN=Ada' });
  #identity: Promise<Identity> | undefined;
  #shared: Promise<MtlsClient> | undefined;
  #clients: MtlsClient[] = [];
  #servers: { close(): void }[] = [];

  /** One that lives as long as the stage. */
  sharedClient(): Promise<MtlsClient> {
    this.#shared ??= this.#create({});
    return this.#shared;
  }

  /** One that is closed by `reset`. */
  async client(options: Partial<ClientOptions> = {}): Promise<MtlsClient> {
    const client = await this.#create(options);
    this.#clients.push(client);
    return client;
  }

  async #create(options: Partial<ClientOptions>): Promise<MtlsClient> {
    // Not with the stage: `vitest list` makes one and does not wait for anything.
    this.#identity ??= identityOf(this.#ada);
    return createClient({
      tunnel: tcpTunnel,
      trust: { anchors: [this.pki.ca.cert] },
      identities: [await this.#identity],
      engine: engineModule(),
      ...options,
    });
  }

  /** Node's `ws` behind TLS that insists on a client certificate. */
  async serveWs(options: ServerOptions = {}): Promise<{ server: WebSocketServer; url: string }> {
    const https = createHttpsServer(this.#tls());
    https.on('tlsClientError', () => {});
    const server = new WebSocketServer({ server: https, ...options });
    const port = await this.#listen(https);
    this.#servers.push({ close: () => server.close() });
    return { server, url: `wss://localhost:${port}/` };
  }

  /** A server that does to each connection what is given, once it has read the handshake's request. */
  async serveRaw(answer: (socket: TLSSocket, request: string) => void): Promise<string> {
    const server = createServer(this.#tls(), socket => {
      socket.on('error', () => {});
      let head = '';
      const read = (data: Buffer) => {
        head += data.toString('latin1');
        if (!head.includes('\r\n\r\n')) return;
        socket.off('data', read);
        answer(socket, head);
      };
      socket.on('data', read);
    });
    server.on('tlsClientError', () => {});
    return `wss://localhost:${await this.#listen(server)}/`;
  }

  async close(): Promise<void> {
    await this.reset();
    await (await this.#shared)?.close();
    this.pki.close();
  }

  async reset(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map(client => client.close()));
    for (const server of this.#servers.splice(0)) server.close();
  }

  #tls() {
    return { ...this.serverPair, ca: this.pki.ca.cert, requestCert: true, rejectUnauthorized: true };
  }

  async #listen(server: Server): Promise<number> {
    const sockets = new Set<{ destroy(): void }>();
    server.on('connection', socket => sockets.add(socket));
    this.#servers.push({
      close: () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
}

/** The head of a 101 that answers the request's key; `changes` replaces or removes fields. */
export function switching(request: string, changes: Record<string, string | undefined> = {}): string {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(request)?.[1] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const fields: Record<string, string | undefined> = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Accept': accept,
    ...changes,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** A frame of a server. */
export function frame(first: number, payload: Uint8Array | string = '', length?: number[]): Buffer {
  const body = Buffer.from(payload as string);
  const head =
    length ??
    (body.length < 126
      ? [body.length]
      : body.length < 65_536
        ? [126, body.length >> 8, body.length & 255]
        : [127, 0, 0, 0, 0, ...new Uint8Array(Uint32Array.of(body.length).buffer).reverse()]);
  return Buffer.concat([Buffer.from([first, ...head]), body]);
}

export function closeFrame(code: number, reason: string | Uint8Array = ''): Buffer {
  return frame(0x88, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)]));
}

export interface Ending {
  code: number;
  reason: string;
  wasClean: boolean;
  error: string | undefined;
  message: string | undefined;
}

/** How a socket ends, with the code of its event `error`. */
export function endOf(socket: WebSocket): Promise<Ending> {
  return new Promise(resolve => {
    let failure: { code?: string; message?: string } | undefined;
    socket.addEventListener('error', event => {
      failure = (event as unknown as WebSocketErrorEvent).error as Error;
    });
    socket.addEventListener('close', ({ code, reason, wasClean }) =>
      resolve({ code, reason, wasClean, error: failure?.code, message: failure?.message }),
    );
  });
}

/** Resolves when the socket is open; rejects with the error when it fails. */
export function opened(socket: WebSocket): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(socket));
    socket.addEventListener('error', event => reject((event as unknown as WebSocketErrorEvent).error));
  });
}

/** The data of the next messages. */
export function messages(socket: WebSocket, count: number): Promise<unknown[]> {
  const data: unknown[] = [];
  return new Promise((resolve, reject) => {
    socket.addEventListener('message', event => {
      data.push(event.data);
      if (data.length === count) resolve(data);
    });
    socket.addEventListener('close', () => reject(new Error(`closed after ${data.length} messages`)));
  });
}
