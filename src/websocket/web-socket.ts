import { MtlsError } from '../errors.js';
import { isBlob } from '../platform.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { Part } from '../util/part.js';
import { parseAddress, parseClose, parseProtocols, snapshot } from './arguments.js';
import { CloseCode, Opcode } from './codes.js';
import type { WebSocketConnection, WebSocketEnd, WebSocketListener } from './connection.js';
import { closeEvent, errorEvent } from './events.js';
import type { HandshakeParts } from './handshake.js';

/**
 * What a WebSocket needs once it has been made.
 *
 * @internal
 */
export const protocolPart = /* @__PURE__ */ new Part(() => import('./protocol.js'), {
  code: 'ERR_WEBSOCKET_HANDSHAKE',
  task: 'speaks WebSocket',
});

/** Limits of `client.WebSocket`. */
export interface WebSocketOptions {
  /**
   * Bytes of a message from the server. A larger one ends the connection with 1009 (ERR_WEBSOCKET_TOO_LARGE). Any positive number; default
   * 67,108,864.
   */
  maxMessageBytes?: number;
}

const DEFAULT_MAX_MESSAGE_BYTES = 64 << 20;
const names: OptionNames<WebSocketOptions> = { maxMessageBytes: true };

const State = { connecting: 0, open: 1, closing: 2, closed: 3 } as const;
type State = (typeof State)[keyof typeof State];
const constants = Object.fromEntries(
  Object.entries(State).map(([name, value]) => [name.toUpperCase(), { value, enumerable: true }]),
);

type Handler = ((this: WebSocket, event: never) => unknown) | null;

/** The `WebSocket` of a client, and the sockets made by it. */
export class WebSockets {
  readonly constructorOf: typeof globalThis.WebSocket;
  #parts: HandshakeParts;
  #maxMessageBytes: number;
  #sockets = new Set<ClientWebSocket>();
  #closed: MtlsError | undefined;

  /** @throws TypeError for a wrong option */
  constructor(parts: HandshakeParts, options: WebSocketOptions = {}) {
    checkOptionNames(options, names, 'webSocket.');
    const { maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = options;
    if (!(maxMessageBytes > 0)) throw new TypeError('"webSocket.maxMessageBytes" must be a positive number');
    this.#parts = parts;
    this.#maxMessageBytes = maxMessageBytes;
    const host: SocketHost = {
      enter: socket => this.#sockets.add(socket),
      leave: socket => this.#sockets.delete(socket),
      open: async request => {
        const { openWebSocket, WebSocketConnection } = await protocolPart.load();
        if (this.#closed) throw this.#closed;
        const { stream, protocol } = await openWebSocket(this.#parts, request);
        const connect = (listener: WebSocketListener) =>
          new WebSocketConnection(stream, listener, this.#maxMessageBytes);
        return { protocol, connect };
      },
    };
    const bound = class WebSocket extends ClientWebSocket {
      constructor(url: string | URL, protocols: string | string[] = []) {
        super(host, { url: parseAddress(url), protocols: parseProtocols(protocols) });
      }
    };
    // A minifier gives it another one.
    Object.defineProperty(bound, 'name', { value: 'WebSocket' });
    this.constructorOf = bound as unknown as typeof globalThis.WebSocket;
  }

  /** Ends all sockets; none is opened any more. */
  close(error: MtlsError): void {
    this.#closed = error;
    for (const socket of [...this.#sockets]) fail(socket, error);
  }
}

interface Opened {
  /** Empty: none. */
  protocol: string;
  connect(listener: WebSocketListener): WebSocketConnection;
}

interface SocketHost {
  enter(socket: ClientWebSocket): void;
  leave(socket: ClientWebSocket): void;
  open(request: { url: URL; protocols: string[]; signal: AbortSignal }): Promise<Opened>;
}

/** Beside the class's own names: the instance has no others than the platform's. */
let fail: (socket: ClientWebSocket, error: MtlsError) => void;

/** A `WebSocket` as the WHATWG's standard has it, over a connection of the client. */
class ClientWebSocket extends EventTarget {
  #host: SocketHost;
  #url: URL;
  /** What each message tells. */
  #origin: string;
  #state: State = State.connecting;
  #protocol = '';
  #bufferedAmount = 0;
  #binaryType: BinaryType = 'blob';
  #abort = new AbortController();
  #connection: WebSocketConnection | undefined;
  #handlers = new Map<string, { handler: Handler }>();

  static {
    fail = (socket, error) => socket.#fail(error);
    // As Web IDL has it: constants on the class and on its prototype, unchangeable; members that are enumerated; the class's name.
    for (const place of [ClientWebSocket, ClientWebSocket.prototype])
      Object.defineProperties(place, constants);
    Object.defineProperty(ClientWebSocket.prototype, Symbol.toStringTag, {
      value: 'WebSocket',
      configurable: true,
    });
    const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(ClientWebSocket.prototype);
    for (const [name, member] of Object.entries(members))
      Object.defineProperty(ClientWebSocket.prototype, name, { ...member, enumerable: true });
  }

  constructor(host: SocketHost, { url, protocols }: { url: URL; protocols: string[] }) {
    super();
    this.#host = host;
    this.#url = url;
    this.#origin = url.origin;
    host.enter(this);
    const { signal } = this.#abort;
    // Whatever is waited for, a tunnel say, may take no notice of the signal.
    signal.addEventListener('abort', () => queueMicrotask(() => this.#onEnd(failure(signal.reason))));
    host
      .open({ url, protocols, signal })
      .then(opened => this.#onOpened(opened))
      .catch(error => this.#onEnd(failure(error)));
  }

  get url(): string {
    return this.#url.href;
  }

  get readyState(): State {
    return this.#state;
  }

  /** None is offered. */
  get extensions(): string {
    return '';
  }

  get protocol(): string {
    return this.#protocol;
  }

  /** Bytes of messages that have not left for the network yet. */
  get bufferedAmount(): number {
    return this.#bufferedAmount;
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    if (type === 'blob' || type === 'arraybuffer') this.#binaryType = type;
  }

  get onopen(): Handler {
    return this.#handler('open');
  }
  set onopen(handler: Handler) {
    this.#setHandler('open', handler);
  }
  get onmessage(): Handler {
    return this.#handler('message');
  }
  set onmessage(handler: Handler) {
    this.#setHandler('message', handler);
  }
  get onerror(): Handler {
    return this.#handler('error');
  }
  set onerror(handler: Handler) {
    this.#setHandler('error', handler);
  }
  get onclose(): Handler {
    return this.#handler('close');
  }
  set onclose(handler: Handler) {
    this.#setHandler('close', handler);
  }

  /** @throws DOMException InvalidStateError before the event `open` */
  send(data: string | Blob | BufferSource): void {
    if (this.#state === State.connecting) {
      throw new DOMException('the WebSocket is not open yet', 'InvalidStateError');
    }
    const { isText, payload } = snapshot(data);
    this.#bufferedAmount += isBlob(payload) ? payload.size : payload.length;
    if (this.#state === State.open) this.#connection?.send(isText ? Opcode.text : Opcode.binary, payload);
  }

  /** @throws DOMException InvalidAccessError (`code`: 1000, or from 3000 to 4999), SyntaxError (`reason`: at most 123 bytes) */
  close(code?: number, reason?: string): void {
    const given = parseClose(code, reason);
    if (this.#state === State.connecting) {
      this.#abort.abort(
        new MtlsError('ERR_WEBSOCKET_CLOSED', 'The WebSocket was closed before it was open.'),
      );
    }
    if (this.#state === State.open) this.#connection?.close(given.code, given.reason);
    if (this.#state < State.closing) this.#state = State.closing;
  }

  #onOpened({ protocol, connect }: Opened): void {
    const listener: WebSocketListener = {
      onMessage: data => this.#onMessage(data),
      onSent: bytes => {
        this.#bufferedAmount -= bytes;
      },
      onClosing: () => {
        this.#state = State.closing;
      },
      onEnd: end => this.#onEnd(end),
    };
    const connection = connect(listener);
    this.#connection = connection;
    const { signal } = this.#abort;
    if (signal.aborted) {
      connection.abort(signal.reason, CloseCode.goingAway);
      return;
    }
    this.#state = State.open;
    this.#protocol = protocol;
    this.dispatchEvent(new Event('open'));
    connection.start();
  }

  #onMessage(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.#state !== State.open) return;
    this.dispatchEvent(new MessageEvent('message', { data: this.#presented(data), origin: this.#origin }));
  }

  #presented(data: string | Uint8Array<ArrayBuffer>): string | Blob | ArrayBuffer {
    if (typeof data === 'string') return data;
    return this.#binaryType === 'blob' ? new Blob([data]) : data.buffer;
  }

  #fail(error: MtlsError): void {
    if (this.#connection) this.#connection.abort(error, CloseCode.goingAway);
    else this.#abort.abort(error);
  }

  #onEnd({ error, ...end }: WebSocketEnd): void {
    if (this.#state === State.closed) return;
    this.#state = State.closed;
    this.#host.leave(this);
    if (!end.wasClean) this.dispatchEvent(errorEvent(error));
    this.dispatchEvent(closeEvent(end));
  }

  #handler(type: string): Handler {
    return this.#handlers.get(type)?.handler ?? null;
  }

  /** A handler keeps the place among the listeners that the first one had. */
  #setHandler(type: string, handler: Handler): void {
    const given = typeof handler === 'function' ? handler : null;
    const known = this.#handlers.get(type);
    if (known) {
      known.handler = given;
      return;
    }
    const entry = { handler: given };
    this.#handlers.set(type, entry);
    this.addEventListener(type, event => entry.handler?.call(this as unknown as WebSocket, event as never));
  }
}

function failure(error: unknown): WebSocketEnd {
  return { code: CloseCode.abnormal, reason: '', wasClean: false, error };
}
