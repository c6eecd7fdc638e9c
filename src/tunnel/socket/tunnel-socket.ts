import { holdProcess } from '../../platform.js';
import type { HostPort } from '../../util/host-port.js';
import { type Closing, closeError, fullError, protocolError, silenceError } from '../errors/close-error.js';
import { openError } from '../errors/open-error.js';
import { CloseCode } from '../wire/codes.js';
import {
  decodeFrame,
  encodeCredit,
  encodeHello,
  encodeOpen,
  encodePong,
  type Frame,
  SOCKET,
  type WelcomeFrame,
} from '../wire/frames.js';
import {
  INITIAL_CREDIT_BYTES,
  INITIAL_STREAMS,
  MIN_WINDOW_BYTES,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
} from '../wire/limits.js';
import type { KeepAliveOptions } from './keep-alive.js';
import { Outbox } from './outbox.js';
import { RelayedStream, type StreamLink } from './relayed-stream.js';
import { SignsOfLife } from './signs-of-life.js';
import { SocketWindows, type WindowSizes } from './socket-windows.js';
import { Waiting } from './waiting.js';

const MAX_STREAM = 2 ** 32 - 1;

export interface SocketSettings extends WindowSizes {
  url: string;
  token: string;
  /** Another socket would have another token. */
  tokenRenews: boolean;
  openTimeoutMs: number;
  keepAlive: KeepAliveOptions;
  WebSocket: typeof globalThis.WebSocket;
  /** The number of the first stream; default 1. */
  firstStream?: number;
}

/** Closes by which the relay has taken up no stream that still waits: another socket may. */
const orderly: ReadonlySet<number> = new Set([
  CloseCode.done,
  CloseCode.shutdown,
  CloseCode.idle,
  CloseCode.lifetime,
]);

/** `WebSocket.CLOSED`. */
const CLOSED = 3;

/** One WebSocket to the relay, with its streams. It opens when it is made. */
export class TunnelSocket implements StreamLink {
  readonly outbox: Outbox;

  readonly #webSocket: WebSocket;
  readonly #settings: SocketSettings;
  readonly #onRetired: (socket: TunnelSocket) => void;
  readonly #signsOfLife: SignsOfLife;
  readonly #windows: SocketWindows;
  readonly #openTimer: ReturnType<typeof setTimeout> | undefined;

  #state: 'opening' | 'open' | 'closed' = 'opening';
  /** It takes no further streams. */
  #retired = false;
  readonly #streams = new Map<number, RelayedStream>();
  readonly #waiting = new Waiting();
  readonly #firstStream: number;
  #nextStream: number;
  #welcome: WelcomeFrame | undefined;
  #helloAtMs = 0;

  /** `onRetired`: it takes no further streams. @throws MtlsError ERR_TUNNEL_UNREACHABLE */
  constructor(settings: SocketSettings, webSocket: WebSocket, onRetired: (socket: TunnelSocket) => void) {
    this.#settings = settings;
    this.#onRetired = onRetired;
    this.#firstStream = settings.firstStream ?? 1;
    this.#nextStream = this.#firstStream;
    this.#webSocket = webSocket;
    this.#signsOfLife = new SignsOfLife(webSocket, settings.keepAlive, {
      send: message => this.send(message),
      onSilent: () => this.#abandon(CloseCode.givenUp, silenceError()),
    });
    this.#windows = new SocketWindows(settings, () => this.#signsOfLife.roundTripMs);
    this.outbox = new Outbox(webSocket, () => this.#signsOfLife.ask());
    const { openTimeoutMs } = settings;
    if (openTimeoutMs > 0) this.#openTimer = setTimeout(() => this.#onNotOpened(), openTimeoutMs);
    webSocket.onopen = () => this.#onOpen();
    webSocket.onmessage = event => this.#onMessage(event.data);
    webSocket.onclose = event => this.#onClose(event);
    // Where a Content-Security-Policy blocks it, Chromium gives an error and no close.
    webSocket.onerror = () => {
      if (this.#state === 'opening' && webSocket.readyState === CLOSED) this.#onNotOpened();
    };
  }

  /** Streams that it carries, or that wait for it. */
  get load(): number {
    return this.#streams.size + this.#waiting.size;
  }

  /**
   * Opens a stream as soon as the relay takes one; undefined when the socket takes no further ones, so that another has to.
   *
   * @throws MtlsError ERR_TUNNEL_…; the signal's reason
   */
  async open(address: HostPort, signal: AbortSignal | undefined): Promise<RelayedStream | undefined> {
    if (this.#hasPlace()) return this.#start(address);
    const { openTimeoutMs: timeoutMs } = this.#settings;
    return this.#waiting.add(address, { signal, timeoutMs, onTimeout: () => fullError(this.#maxStreams()) });
  }

  /** Takes no further streams, and closes when those that it has are over. */
  retire(): void {
    this.#leave();
    this.#waiting.dismiss();
    this.#closeIfDone();
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    this.#webSocket.send(message);
  }

  onOver(stream: RelayedStream): void {
    this.#streams.delete(stream.number);
    if (this.#state === 'closed') return;
    if (this.#streams.size === 0) {
      this.#signsOfLife.rest();
      holdProcess(this.#webSocket, false);
    }
    this.#admit();
    this.#closeIfDone();
  }

  #maxStreams(): number {
    return this.#welcome?.maxStreams ?? INITIAL_STREAMS;
  }

  #hasPlace(): boolean {
    if (this.#state !== 'open' || this.#retired) return false;
    const taken = this.#welcome ? this.#streams.size : this.#nextStream - this.#firstStream;
    return taken < this.#maxStreams();
  }

  #start(address: HostPort): RelayedStream {
    const number = this.#nextStream++;
    const window = this.#windows.ofStream();
    const stream = new RelayedStream(number, { address, link: this, window });
    if (this.#welcome) stream.grant(this.#welcome.streamWindowBytes - MIN_WINDOW_BYTES);
    this.#streams.set(number, stream);
    this.send(encodeOpen({ stream: number, ...address }));
    const creditBytes = window.growAhead();
    if (creditBytes > 0) this.send(encodeCredit(number, creditBytes));
    if (this.#welcome) this.#signsOfLife.measure();
    if (this.#streams.size === 1) this.#wake();
    if (this.#nextStream > MAX_STREAM) this.retire();
    return stream;
  }

  /** There is a stream again. */
  #wake(): void {
    holdProcess(this.#webSocket, true);
    this.#signsOfLife.wake();
  }

  #admit(): void {
    while (this.#waiting.size > 0 && this.#hasPlace()) this.#waiting.next(address => this.#start(address));
  }

  #leave(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#onRetired(this);
  }

  #closeIfDone(): void {
    if (this.#retired && this.#streams.size === 0 && this.#state !== 'closed') this.#shut(CloseCode.done);
  }

  #onOpen(): void {
    if (this.#state !== 'opening') return;
    if (this.#webSocket.protocol !== SUBPROTOCOL) {
      this.#onNotOpened();
      return;
    }
    this.#state = 'open';
    clearTimeout(this.#openTimer);
    this.#signsOfLife.begin();
    this.#helloAtMs = performance.now();
    const { token } = this.#settings;
    this.send(encodeHello({ version: PROTOCOL_VERSION, ...this.#windows.initial, token }));
    holdProcess(this.#webSocket, false);
    this.#admit();
  }

  #onMessage(data: unknown): void {
    if (this.#state === 'closed') return;
    this.#signsOfLife.heard();
    const frame = data instanceof ArrayBuffer ? decodeFrame(new Uint8Array(data)) : undefined;
    const fault = frame ? this.#onFrame(frame) : 'a malformed message';
    if (fault !== undefined) this.#abandon(CloseCode.protocol, protocolError(fault));
    else this.outbox.flush();
  }

  /** What is wrong with the message, if anything is. */
  #onFrame(frame: Frame): string | undefined {
    switch (frame.type) {
      case 'welcome':
        return this.#onWelcome(frame);
      case 'goaway':
        this.retire();
        return undefined;
      case 'ping':
        this.send(encodePong(frame.nonce));
        return undefined;
      case 'pong':
        this.#signsOfLife.onPong(frame.nonce);
        return undefined;
      case 'hello':
      case 'open':
        return 'a message that only pages send';
      default:
        return this.#welcome ? this.#onStreamFrame(frame) : 'a message before WELCOME';
    }
  }

  #onWelcome(welcome: WelcomeFrame): string | undefined {
    if (this.#welcome) return 'a second WELCOME';
    this.#welcome = welcome;
    for (const stream of this.#streams.values()) stream.grant(welcome.streamWindowBytes - MIN_WINDOW_BYTES);
    this.outbox.grant(welcome.socketWindowBytes - INITIAL_CREDIT_BYTES);
    this.#signsOfLife.welcomed(performance.now() - this.#helloAtMs);
    this.#admit();
    return undefined;
  }

  #onStreamFrame(frame: Extract<Frame, { stream: number }>): string | undefined {
    if (frame.type === 'credit' && frame.stream === SOCKET)
      return this.outbox.grant(frame.bytes) ? undefined : 'more CREDIT than a window has';
    if (frame.stream >= this.#nextStream || frame.stream < this.#firstStream)
      return 'a message for a stream that was never opened';
    if (frame.type === 'data' && !this.#receive(frame.payload.length)) return 'more DATA than granted';
    const stream = this.#streams.get(frame.stream);
    // It has ended, and the message has crossed the end on its way.
    if (!stream) return undefined;
    switch (frame.type) {
      case 'opened':
        return stream.onOpened();
      case 'data':
        return stream.onData(frame.payload);
      case 'credit':
        return stream.onCredit(frame.bytes);
      case 'end':
        return stream.onEnd();
      case 'reset':
        stream.onReset(frame.code, frame.reason);
        return undefined;
      default:
        return 'a message that only pages send';
    }
  }

  /** `false` when the relay had no credit. */
  #receive(bytes: number): boolean {
    const credit = this.#windows.receive(bytes);
    if (credit === undefined) return false;
    if (credit > 0) this.send(encodeCredit(SOCKET, credit));
    this.#signsOfLife.measure();
    return true;
  }

  #onClose(closing: Closing): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'opening') {
      this.#onNotOpened();
      return;
    }
    this.#leave();
    // A token that had admitted the page has expired since: another one may admit it again.
    const renews = this.#settings.tokenRenews && this.#welcome !== undefined;
    if (orderly.has(closing.code) || (closing.code === CloseCode.expired && renews)) this.#waiting.dismiss();
    this.#end(closeError(closing, { renews }));
  }

  /** A browser does not tell why. */
  #onNotOpened(): void {
    this.#leave();
    this.#shut(CloseCode.givenUp);
    void this.#waiting.failWith(openError(this.#settings.url));
  }

  /** The close itself is not waited for: it may take minutes. */
  #abandon(code: number, error: unknown): void {
    this.#leave();
    this.#shut(code);
    this.#end(error);
  }

  #shut(code: number): void {
    this.#stop();
    this.#webSocket.close(code);
  }

  #end(error: unknown): void {
    this.#stop();
    for (const stream of [...this.#streams.values()]) stream.fail(error);
    this.#waiting.fail(error);
  }

  #stop(): void {
    this.#state = 'closed';
    clearTimeout(this.#openTimer);
    this.#signsOfLife.end();
    this.outbox.close();
  }
}
