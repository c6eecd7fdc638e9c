import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { takeProxyHeader } from '../admission/addresses/proxy-protocol.js';
import type { Doorkeeper, Visitor } from '../admission/budgets/doorkeeper.js';
import { takeRequestHead } from './request-head.js';
import { refuse } from './upgrade.js';

export interface FrontOptions {
  doorkeeper: Doorkeeper;
  requestTimeoutMs: number;
  /** Trusted proxies begin each connection with a header of the PROXY protocol. */
  proxyProtocol: boolean;
}

/** Connections that may wait for a turn of the relay: with few, a flood makes others try again after a second. */
const BACKLOG = 4096;
/** What a connection counts for that sends another request behind the first: what is read at a time may hold a thousand. */
export const PIPELINED_CONNECTIONS = 50;
const REQUEST_TIMEOUT = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/**
 * The relay's own server: TCP connections are counted before HTTP sees them, and each has a timer of its own for its request.
 * Node's timeouts of HTTP are looked at now and then, and begin with the first byte.
 */
export class Front {
  /** Emits `upgrade`. */
  readonly http: Server = createHttpServer((request, response) => this.#onRequest(request, response));
  readonly #tcp = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#onConnection(socket));
  readonly #options: FrontOptions;
  /** Connections that have had the answer to a request. */
  readonly #answered = new WeakSet<Socket>();
  /** What came behind the head of a connection's request. */
  readonly #behindHead = new WeakMap<object, Buffer>();
  /** Connections without a WebSocket. */
  readonly #waiting = new Map<Socket, NodeJS.Timeout>();

  constructor(options: FrontOptions) {
    this.#options = options;
  }

  listen({ host, port }: { host: string; port: number }, onError: (error: Error) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen({ host, port, backlog: BACKLOG }, () => {
        this.#tcp.off('error', reject);
        this.#tcp.on('error', onError);
        resolve();
      });
    });
  }

  address(): AddressInfo | string | null {
    return this.#tcp.address();
  }

  /** What a page has sent behind its upgrade request, once. */
  takeBehindHead(socket: object): Buffer | undefined {
    const bytes = this.#behindHead.get(socket);
    this.#behindHead.delete(socket);
    return bytes;
  }

  /** The connection has become a WebSocket. */
  upgraded(socket: object): void {
    clearTimeout(this.#waiting.get(socket as Socket));
    this.#waiting.delete(socket as Socket);
  }

  /** Stops listening, and ends connections that are not WebSockets; resolves when the others have ended too. */
  close(): Promise<void> {
    return new Promise(resolve => {
      this.#tcp.close(() => resolve());
      for (const socket of [...this.#waiting.keys()]) socket.destroy();
    });
  }

  #onConnection(socket: Socket): void {
    socket.on('error', () => {});
    const visitor = this.#options.doorkeeper.meet(socket);
    if (!visitor) {
      socket.destroy();
      return;
    }
    this.#waiting.set(
      socket,
      setTimeout(() => this.#onTimeout(socket), this.#options.requestTimeoutMs),
    );
    socket.once('close', () => this.upgraded(socket));
    if (this.#options.proxyProtocol && visitor.anonymous) void this.#takeProxyHeader(socket, visitor);
    else this.#takeRequest(socket);
  }

  async #takeProxyHeader(socket: Socket, visitor: Visitor): Promise<void> {
    const { doorkeeper } = this.#options;
    try {
      const { address } = await takeProxyHeader(socket);
      if (socket.destroyed) return;
      if (address !== undefined && !doorkeeper.rename(visitor, address)) {
        socket.destroy();
        return;
      }
    } catch {
      doorkeeper.noteMalformedHeader(visitor);
      socket.destroy();
      return;
    }
    this.#takeRequest(socket);
    socket.resume();
  }

  /** HTTP gets the head of one request. What comes behind it is a WebSocket's, or nobody's. */
  #takeRequest(socket: Socket): void {
    takeRequestHead(socket, found => {
      if (typeof found === 'number') {
        refuse(socket, found);
        return;
      }
      const { head, rest } = found;
      if (rest.length > 0 && /^upgrade:/im.test(head.toString('latin1'))) this.#behindHead.set(socket, rest);
      if (/^[A-Z]+ /.test(rest.toString('latin1', 0, 10)))
        this.#options.doorkeeper.charge(socket, PIPELINED_CONNECTIONS);
      socket.unshift(head);
      this.http.emit('connection', socket);
      socket.resume();
    });
  }

  /** One answer for each connection: what is sent without waiting for it costs far more than it. */
  #onRequest({ socket }: IncomingMessage, response: ServerResponse): void {
    if (!this.#answered.has(socket)) {
      this.#answered.add(socket);
      refusePlainHttp(response);
    } else if (!socket.destroyed) {
      this.#options.doorkeeper.charge(socket, PIPELINED_CONNECTIONS);
      socket.destroy();
    }
  }

  #onTimeout(socket: Socket): void {
    socket.once('finish', () => socket.destroy());
    socket.end(REQUEST_TIMEOUT);
  }
}

function refusePlainHttp(response: ServerResponse): void {
  response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket', connection: 'close' });
  response.end('This is a browser-mtls relay: it speaks WebSocket.\n');
}
