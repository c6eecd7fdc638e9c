import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { CloseCode } from '../../src/tunnel/wire/codes.js';
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from '../../src/tunnel/wire/limits.js';
import { bracketed } from '../../src/util/host-port.js';
import { Doorkeeper, type Visitor } from './admission/budgets/doorkeeper.js';
import { openDoors } from './doors.js';
import { loggable } from './events.js';
import { DescriptorWatch } from './front/descriptor-watch.js';
import { Front, PIPELINED_CONNECTIONS } from './front/front.js';
import { UnansweredRequests } from './front/unanswered-requests.js';
import { forwardedForOf, offersSubprotocol, pathOf, refuse, refuseUnlessTaken } from './front/upgrade.js';
import { MemoryWatch } from './memory/memory-watch.js';
import { parseRelayOptions, type RelayOptions, type RelaySettings } from './options.js';
import { Pages } from './pages.js';
import { SignsOfLife } from './session/signs-of-life.js';

/** A running relay. */
export interface Relay {
  /** What a page gives `createClient` as `tunnel`: `ws://host:port/`, or `wss:` on an HTTPS server. */
  readonly url: string;
  /** The address it listens on. */
  readonly address: AddressInfo;
  /** WebSockets open now. */
  readonly connections: number;
  /** Streams of all of them, open now. */
  readonly streams: number;
  /** Ends every connection (close code 1001) and stops listening; a `server` that was given goes on without it. */
  close(): Promise<void>;
}

// Time that a page has to answer a close, or to show that it is there at all.
const CLOSE_TIMEOUT_MS = 5000;
const SHUTDOWN_TIMEOUT_MS = 1000;

const WEB_SOCKET_OPTIONS = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE_BYTES,
  // Each fragment, and each piece of a frame that TCP delivers, costs some hundred bytes, however small it is. A full message in
  // pieces of 50 bytes passes; a session counts what its pieces cost as held memory. Chromium cuts a large message wherever its own pipe
  // was full: on a busy machine into more than 64 fragments.
  maxFragments: 1024,
  maxBufferedChunks: 8192,
  // One message in a turn: a page's flood of small ones does not hold up what other sockets have to say.
  allowSynchronousEvents: false,
  // Answered by the session, which counts what waits for the page.
  autoPong: false,
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
  readonly #doorkeeper: Doorkeeper;
  /** The relay's own server; `undefined` where it was given one. */
  readonly #front: Front | undefined;
  readonly #server: HttpServer | HttpsServer;
  /** On a server that was given. */
  readonly #unanswered: UnansweredRequests | undefined;
  readonly #webSocketServer = new WebSocketServer(WEB_SOCKET_OPTIONS);
  readonly #pages: Pages;
  readonly #signsOfLife = new SignsOfLife(() => this.#webSocketServer.clients);
  #memoryWatch: MemoryWatch | undefined;
  #descriptorWatch: DescriptorWatch | undefined;

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    this.#upgrade(request, socket as Socket, head);
  };

  constructor(settings: RelaySettings) {
    this.#settings = settings;
    this.#doorkeeper = new Doorkeeper({
      limits: settings,
      proxies: settings.proxies,
      report: (limit, count, remoteAddress) => settings.log({ type: 'dropped', limit, count, remoteAddress }),
    });
    this.#pages = new Pages(settings, this.#doorkeeper);
    this.#front = settings.server ? undefined : new Front({ ...settings, doorkeeper: this.#doorkeeper });
    this.#server = settings.server ?? (this.#front as Front).http;
    this.#unanswered = settings.server && new UnansweredRequests(settings.server);
  }

  async start(): Promise<void> {
    const { log, pingIntervalMs } = this.#settings;
    this.#server.on('upgrade', this.#onUpgrade);
    const onError = (error: Error) => log({ type: 'error', message: loggable(error.message) });
    await this.#front?.listen(this.#settings, onError);
    for (const message of openDoors(this.#settings)) log({ type: 'warning', message });
    this.#signsOfLife.start(pingIntervalMs);
    this.#memoryWatch = new MemoryWatch(() => this.#pages.watchMemory());
    this.#descriptorWatch = new DescriptorWatch(message => log({ type: 'error', message }));
  }

  get address(): AddressInfo {
    const address = (this.#front ?? this.#server).address();
    if (address === null || typeof address === 'string') {
      throw new TypeError('"server" must listen on a TCP port');
    }
    return address;
  }

  get url(): string {
    const { address, port } = this.address;
    const scheme = 'setSecureContext' in this.#server ? 'wss' : 'ws';
    return `${scheme}://${reachableHost(address)}:${port}${this.#settings.path}`;
  }

  get connections(): number {
    return this.#pages.size;
  }

  get streams(): number {
    return this.#pages.streams;
  }

  async close(): Promise<void> {
    this.#signsOfLife.close();
    this.#memoryWatch?.close();
    this.#descriptorWatch?.close();
    this.#server.off('upgrade', this.#onUpgrade);
    this.#unanswered?.close();
    const frontClosed = this.#front?.close();
    await this.#closeWebSockets();
    await frontClosed;
    this.#doorkeeper.close();
  }

  async #closeWebSockets(): Promise<void> {
    const webSockets = [...this.#webSocketServer.clients];
    const allClosed = Promise.all(
      webSockets.map(each => new Promise(resolve => each.once('close', resolve))),
    );
    for (const { session } of this.#pages) session.close(CloseCode.shutdown, '');
    const timer = setTimeout(() => {
      for (const webSocket of webSockets) webSocket.terminate();
    }, SHUTDOWN_TIMEOUT_MS);
    await allClosed;
    clearTimeout(timer);
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', ignore);
    const visitor = this.#doorkeeper.meet(socket);
    if (!visitor) {
      refuse(socket, 503);
      return;
    }
    if (pathOf(request) !== this.#settings.path) {
      this.#leaveToOthers(socket, visitor);
      return;
    }
    // Node answers what came before when it can, in the midst of the WebSocket.
    if (this.#unanswered?.has(socket)) {
      this.#doorkeeper.charge(socket, PIPELINED_CONNECTIONS);
      socket.destroy();
      return;
    }
    const identified = this.#doorkeeper.identify(visitor, forwardedForOf(request));
    if (!identified) {
      refuse(socket, identified === undefined ? 400 : 503);
      return;
    }
    if (!offersSubprotocol(request)) {
      refuse(socket, 400);
      return;
    }
    const behind = this.#front?.takeBehindHead(socket) ?? head;
    this.#webSocketServer.handleUpgrade(request, socket, behind, webSocket => {
      socket.off('error', ignore);
      this.#front?.upgraded(socket);
      this.#signsOfLife.watch(webSocket);
      this.#pages.open(webSocket, { origin: request.headers.origin, socket, visitor });
    });
  }

  /** On a shared server another path may be somebody else's. */
  #leaveToOthers(socket: Socket, visitor: Visitor): void {
    if (this.#server.listenerCount('upgrade') === 1) {
      refuse(socket, 404);
      return;
    }
    const isTaken = refuseUnlessTaken(socket, () => this.#doorkeeper.leave(visitor));
    const { entry } = visitor;
    if (entry) entry.expel = () => isTaken() || socket.destroy();
  }
}

/** An address to connect to, for one to listen on. */
function reachableHost(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  if (address === '::') return '[::1]';
  return bracketed(address);
}

function ignore(): void {}
