import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { CloseCode, type LimitReason } from '../../src/tunnel/close-codes.js';
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from '../../src/tunnel/limits.js';
import { bracketed } from '../../src/util/host-port.js';
import { originAllowed } from './admission.js';
import { RelayConnection } from './connection.js';
import { loggable } from './events.js';
import { parseRelayOptions, type RelayOptions, type RelaySettings } from './options.js';
import { createConnector } from './policy/create-connector.js';
import type { TargetConnector } from './policy/target-connector.js';

/** A running relay. */
export interface Relay {
  /** What a page gives `createClient` as `tunnel`: `ws://host:port/`, or `wss:` on an HTTPS server. */
  readonly url: string;
  /** The address it listens on. */
  readonly address: AddressInfo;
  /** WebSockets open now. */
  readonly connections: number;
  /** Ends every connection (close code 1001) and stops listening; a `server` that was given goes on without it. */
  close(): Promise<void>;
}

// Time that a page has to answer a close, or to show that it is there at all.
const CLOSE_TIMEOUT_MS = 5000;
const SHUTDOWN_TIMEOUT_MS = 1000;
const HTTP_OPTIONS = {
  headersTimeout: 10_000,
  // Node looks at the other timeouts this often; its default of 30 s would make 40 s of the 10.
  connectionsCheckingInterval: 1000,
};

const WEB_SOCKET_OPTIONS = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE_BYTES,
  // Each fragment, and each piece of a frame that TCP delivers, costs some hundred bytes, however small it is.
  maxFragments: 64,
  maxBufferedChunks: 1024,
  closeTimeout: CLOSE_TIMEOUT_MS,
  handleProtocols: () => SUBPROTOCOL,
};

/**
 * Starts a relay, which joins WebSockets of pages with TCP connections to the targets that it allows (`docs/tunnel.md`).
 *
 * It sees the TLS records that pass and holds no key. Resolves when it listens; rejects with Node's own error when it cannot (such
 * as `EADDRINUSE`), and with a `TypeError` for options that make no sense.
 */
export async function createRelay(options: RelayOptions): Promise<Relay> {
  const relay = new WebSocketRelay(parseRelayOptions(options));
  await relay.start();
  return relay;
}

class WebSocketRelay implements Relay {
  readonly #settings: RelaySettings;
  readonly #server: NonNullable<RelaySettings['server']>;
  readonly #webSocketServer = new WebSocketServer(WEB_SOCKET_OPTIONS);
  readonly #connections = new Map<WebSocket, RelayConnection>();
  readonly #targets: TargetConnector;
  /** Open WebSockets, refused ones too. */
  readonly #countByAddress = new Map<string, number>();
  /** Pings in a row that had no answer. */
  readonly #missedPings = new WeakMap<WebSocket, number>();
  #pingTimer: NodeJS.Timeout | undefined;
  #lastId = 0;

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    this.#upgrade(request, socket, head);
  };

  constructor(settings: RelaySettings) {
    this.#settings = settings;
    this.#targets = createConnector(settings);
    this.#server = settings.server ?? createServer(HTTP_OPTIONS, refusePlainHttp);
  }

  async start(): Promise<void> {
    this.#server.on('upgrade', this.#onUpgrade);
    const { server, host, port, pingIntervalMs } = this.#settings;
    if (!server) {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen({ host, port }, () => {
          this.#server.off('error', reject);
          this.#server.on('error', error => this.#settings.log({ type: 'error', message: error.message }));
          resolve();
        });
      });
    }
    if (pingIntervalMs > 0) this.#pingTimer = setInterval(() => this.#ping(), pingIntervalMs).unref();
  }

  get address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') {
      throw new TypeError('the server that the relay was given does not listen on a TCP port');
    }
    return address;
  }

  get url(): string {
    const { address, port } = this.address;
    const scheme = 'setSecureContext' in this.#server ? 'wss' : 'ws';
    return `${scheme}://${reachableHost(address)}:${port}${this.#settings.path}`;
  }

  get connections(): number {
    return this.#connections.size;
  }

  async close(): Promise<void> {
    clearInterval(this.#pingTimer);
    this.#server.off('upgrade', this.#onUpgrade);
    const serverClosed = this.#settings.server ? undefined : this.#closeServer();
    await this.#closeWebSockets();
    await serverClosed;
  }

  async #closeWebSockets(): Promise<void> {
    const webSockets = [...this.#webSocketServer.clients];
    const allClosed = Promise.all(
      webSockets.map(each => new Promise(resolve => each.once('close', resolve))),
    );
    for (const connection of this.#connections.values()) connection.close(CloseCode.shutdown, '');
    const timer = setTimeout(() => {
      for (const webSocket of webSockets) webSocket.terminate();
    }, SHUTDOWN_TIMEOUT_MS);
    await allClosed;
    clearTimeout(timer);
  }

  #closeServer(): Promise<void> {
    return new Promise(resolve => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', ignore);
    if (pathOf(request) !== this.#settings.path) {
      // On a shared server another path may be somebody else's.
      if (this.#server.listenerCount('upgrade') === 1) refuse(socket, 404);
      return;
    }
    if (!offersSubprotocol(request)) {
      refuse(socket, 400);
      return;
    }
    if (this.#isFlooded(addressOf(request))) {
      refuse(socket, 503);
      return;
    }
    this.#webSocketServer.handleUpgrade(request, socket, head, webSocket => {
      socket.off('error', ignore);
      this.#open(webSocket, request);
    });
  }

  #open(webSocket: WebSocket, request: IncomingMessage): void {
    const remoteAddress = addressOf(request);
    const { origin } = request.headers;
    const limit = this.#limitReached(remoteAddress);
    this.#count(remoteAddress, 1);
    webSocket.on('close', () => this.#count(remoteAddress, -1));
    const id = ++this.#lastId;
    const connection = new RelayConnection(webSocket, {
      id,
      settings: this.#settings,
      targets: this.#targets,
      remoteAddress,
    });
    this.#settings.log({
      type: 'opened',
      connection: id,
      remoteAddress,
      ...(origin === undefined ? {} : { origin: loggable(origin) }),
    });
    this.#watch(webSocket);
    // A page cannot see why an upgrade failed, so it is accepted and closed with a code.
    if (!originAllowed(origin, this.#settings)) {
      connection.close(CloseCode.origin, '');
      return;
    }
    if (limit) {
      connection.close(CloseCode.limit, limit);
      return;
    }
    this.#connections.set(webSocket, connection);
    webSocket.on('close', () => this.#connections.delete(webSocket));
  }

  /** Connections over a limit are told so in a close code. That needs a WebSocket, of which there are limits too. */
  #isFlooded(remoteAddress: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#settings;
    const count = this.#countByAddress.get(remoteAddress) ?? 0;
    return this.#webSocketServer.clients.size >= 2 * maxConnections || count >= 2 * maxConnectionsPerAddress;
  }

  #limitReached(remoteAddress: string): LimitReason | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#settings;
    if (this.#connections.size >= maxConnections) return 'connections';
    const count = this.#countByAddress.get(remoteAddress) ?? 0;
    return count >= maxConnectionsPerAddress ? 'connections-per-address' : undefined;
  }

  #count(remoteAddress: string, change: number): void {
    const count = (this.#countByAddress.get(remoteAddress) ?? 0) + change;
    if (count > 0) this.#countByAddress.set(remoteAddress, count);
    else this.#countByAddress.delete(remoteAddress);
  }

  /** Notes every sign of life: behind a slow upload an answer to a ping may come late. */
  #watch(webSocket: WebSocket): void {
    const alive = () => this.#missedPings.set(webSocket, 0);
    webSocket.on('message', alive);
    webSocket.on('pong', alive);
  }

  #ping(): void {
    for (const webSocket of this.#webSocketServer.clients) {
      const missed = this.#missedPings.get(webSocket) ?? 0;
      if (missed >= 2) {
        webSocket.terminate();
        continue;
      }
      this.#missedPings.set(webSocket, missed + 1);
      if (webSocket.readyState === webSocket.OPEN) webSocket.ping(ignore);
    }
  }
}

function refusePlainHttp(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket', connection: 'close' });
  response.end('This is a browser-mtls relay: it speaks WebSocket.\n');
}

function refuse(socket: Duplex, status: number): void {
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function addressOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? '';
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').replace(/\?.*$/s, '');
}

function offersSubprotocol(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some(each => each.trim() === SUBPROTOCOL);
}

/** An address to connect to, for one to listen on. */
function reachableHost(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  if (address === '::') return '[::1]';
  return bracketed(address);
}

function ignore(): void {}
