import { performance } from 'node:perf_hooks';
import type { RawData, WebSocket } from 'ws';
import { CloseCode, ResetCode, type StreamLimit } from '../../../src/tunnel/wire/codes.js';
import {
  decodeFrame,
  encodeCredit,
  encodeGoAway,
  encodeReset,
  encodeWelcome,
  type Frame,
  type HelloFrame,
  type OpenFrame,
  SOCKET,
} from '../../../src/tunnel/wire/frames.js';
import { INITIAL_STREAMS, PROTOCOL_VERSION } from '../../../src/tunnel/wire/limits.js';
import type { PageBudget, Refusal } from '../admission/page-budget.js';
import { loggable } from '../events.js';
import { MemoryBoundBudget, type RelayResources } from '../memory/resources.js';
import type { RelaySettings } from '../options.js';
import { Outbox } from './outbox.js';
import type { ReadGate } from './read-gate.js';
import { RoundTrip } from './round-trip.js';
import { SocketCredit } from './socket-credit.js';
import { RelayStream, type StreamContext } from './stream.js';

/** Time for a refused page to take the close code. */
const REFUSED_TIMEOUT_MS = 1000;
/** Time for a page's streams to end after GOAWAY. */
const GOAWAY_TIMEOUT_MS = 300_000;
/** What a stream costs more than another message, and one beyond a limit: each has an answer, whatever the page asks for next. */
const STREAM_FRAMES = 16;
const REFUSED_STREAM_FRAMES = 50;
/** What the windows of a socket's streams may grow by. */
const GROWTH_BYTES = 32 * 1024 * 1024;

export interface SessionOptions {
  /** The socket's number in the relay's events. */
  id: number;
  settings: RelaySettings;
  resources: RelayResources;
  budget: PageBudget;
  gate: ReadGate;
  /** Counts a message as so many frames more. */
  charge: (frames: number) => void;
  /** What the page's lookups count for. */
  remoteAddress: string;
}

/** One WebSocket and its streams. Nothing that page or targets do makes it throw. */
export class Session {
  readonly #webSocket: WebSocket;
  readonly #options: SessionOptions;
  readonly #startedAt = performance.now();
  readonly #outbox: Outbox;
  readonly #roundTrip: RoundTrip;
  readonly #credit: SocketCredit;
  readonly #streams = new Map<number, RelayStream>();
  #state: 'hello' | 'admitting' | 'open' | 'closed' = 'hello';
  #context: StreamContext | undefined;
  /** Until HELLO, the wait for it; then the wait for a stream. */
  #timer: NodeJS.Timeout | undefined;
  /** Until GOAWAY, the wait for it; then the wait for the streams to end. */
  #ageTimer: NodeJS.Timeout | undefined;

  #lastStream = 0;
  #streamCount = 0;
  #bytesFromPage = 0;
  #bytesFromTarget = 0;

  /** The PING behind GOAWAY: with its answer, all that the page opened before it knew of GOAWAY is here. */
  #goAwayPing: number | undefined;

  constructor(webSocket: WebSocket, options: SessionOptions) {
    this.#webSocket = webSocket;
    this.#options = options;
    const { settings, resources, budget, gate } = options;
    this.#outbox = new Outbox(webSocket, {
      memory: resources.memory,
      sendDelayMs: bytes => budget.sendDelayMs(bytes),
      onDrain: () => this.#outbox.isOverfull || gate.open('queue'),
    });
    this.#roundTrip = new RoundTrip(this.#outbox);
    this.#credit = new SocketCredit(settings.maxWindowBytes);
    webSocket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    webSocket.on('ping', data => this.#onPing(data));
    webSocket.on('error', error => this.#onWebSocketError(error));
    webSocket.on('close', code => {
      this.close(code, '');
      budget.leave();
      clearTimeout(this.#timer);
    });
    this.#startTimer(settings.helloTimeoutMs, () => this.close(CloseCode.helloTimeout, ''));
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Bytes that wait here for the page or its targets. */
  get heldBytes(): number {
    let bytes = this.#outbox.queuedBytes;
    for (const stream of this.#streams.values()) bytes += stream.heldBytes;
    return bytes;
  }

  /** Ends the WebSocket with this code, and all streams: their targets get a reset unless both sides had ended. */
  close(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    const unproven = this.#state !== 'open';
    this.#release(code, reason);
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.close(code, reason);
    // After a close `ws` goes on reading until the other side has answered it.
    if (unproven) this.#startTimer(REFUSED_TIMEOUT_MS, () => this.#webSocket.terminate());
  }

  /** Asks the page to open further streams on another socket; closes this one when its streams have ended, or after a while. */
  goAway(): void {
    if (this.#state !== 'open' || this.#goAwayPing !== undefined) return;
    this.#outbox.sendControl(encodeGoAway());
    this.#goAwayPing = this.#roundTrip.ping();
    clearTimeout(this.#ageTimer);
    this.#ageTimer = setTimeout(() => this.close(CloseCode.lifetime, ''), GOAWAY_TIMEOUT_MS);
  }

  #release(code: number, reason: string): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    clearTimeout(this.#ageTimer);
    this.#outbox.close();
    for (const stream of [...this.#streams.values()]) stream.abandon(ResetCode.givenUp, 'socket');
    // A WebSocket that is not read would not see the answer to its close.
    this.#options.gate.open('queue');
    this.#logClosed(code, reason);
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#state === 'closed') return;
    const frame = isBinary && data instanceof Uint8Array ? decodeFrame(data) : undefined;
    const violation = frame ? this.#onFrame(frame) : 'malformed message';
    if (violation !== undefined) this.#protocolError(violation);
    else this.#checkQueue();
  }

  #onPing(data: Uint8Array): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    this.#outbox.sendPong(data);
    this.#checkQueue();
  }

  /** A page that does not take the answers to what it sends is not heard until it does. */
  #checkQueue(): void {
    if (this.#outbox.isOverfull && this.#state !== 'closed') this.#options.gate.close('queue');
  }

  /** Gives what the page did wrong. */
  #onFrame(frame: Frame): string | undefined {
    if (this.#state === 'hello') return frame.type === 'hello' ? this.#onHello(frame) : 'no HELLO';
    switch (frame.type) {
      case 'open':
        return this.#onOpen(frame);
      case 'data':
        return this.#onData(frame.stream, frame.payload);
      case 'credit':
        return this.#onCredit(frame.stream, frame.bytes);
      case 'end':
        return this.#onStream(frame.stream, stream => stream.endByPage(), 'second END');
      case 'reset':
        return this.#onStream(frame.stream, stream => stream.abandon(ResetCode.givenUp), '');
      case 'ping':
        this.#roundTrip.answer(frame.nonce);
        return undefined;
      case 'pong':
        return this.#onPong(frame.nonce);
      default:
        return `${frame.type} out of turn`;
    }
  }

  // Admission

  #onHello(hello: HelloFrame): string | undefined {
    if (hello.version !== PROTOCOL_VERSION) return 'unknown version';
    this.#state = 'admitting';
    clearTimeout(this.#timer);
    const { id, settings, resources, remoteAddress, budget } = this.#options;
    this.#context = {
      connection: id,
      settings,
      resources,
      account: remoteAddress,
      narrowedTo: () => budget.targets,
      outbox: this.#outbox,
      growthBudget: new MemoryBoundBudget(GROWTH_BYTES, resources.memory),
      roundTripMs: () => this.#roundTrip.shortestMs,
      pageWindowBytes: hello.streamWindowBytes,
      onEnded: stream => this.#onStreamEnded(stream),
    };
    this.#outbox.grant(hello.socketWindowBytes);
    void this.#admit(hello.token);
    return undefined;
  }

  async #admit(token: string): Promise<void> {
    const refusal = await this.#judge(token);
    if (this.#state !== 'admitting') return;
    if (refusal) this.close(refusal.code, refusal.reason);
    else this.#open();
  }

  async #judge(token: string): Promise<Refusal | undefined> {
    const { id, settings, budget } = this.#options;
    try {
      return await budget.admit(token);
    } catch (error) {
      settings.log({ type: 'error', connection: id, message: loggable(`cannot judge a token: ${error}`) });
      return { code: CloseCode.unavailable, reason: '' };
    }
  }

  #open(): void {
    this.#state = 'open';
    const { settings, budget } = this.#options;
    this.#credit.open();
    this.#outbox.sendControl(
      encodeWelcome({
        socketWindowBytes: settings.maxWindowBytes,
        streamWindowBytes: settings.windowBytes,
        // Zero is not in the format: the first stream is refused then.
        maxStreams: Math.max(1, budget.maxStreams),
      }),
    );
    this.#roundTrip.ping();
    if (settings.maxSocketAgeMs > 0) {
      this.#ageTimer = setTimeout(() => this.goAway(), settings.maxSocketAgeMs);
    }
    if (this.#streams.size === 0) this.#awaitStream();
    for (const stream of [...this.#streams.values()]) {
      const limit = this.#takeStream();
      if (limit) stream.reset(ResetCode.limit, limit);
      else stream.start();
    }
  }

  // Streams

  #onOpen({ stream: number, hostname, port }: OpenFrame): string | undefined {
    if (number <= this.#lastStream || !this.#context) return 'stream number out of turn';
    const isOpen = this.#state === 'open';
    if (!isOpen && this.#streams.size >= INITIAL_STREAMS) return 'more streams than before WELCOME';
    this.#lastStream = number;
    const limit = isOpen ? this.#takeStream() : undefined;
    if (limit) {
      this.#options.charge(REFUSED_STREAM_FRAMES);
      this.#outbox.sendControl(encodeReset({ stream: number, code: ResetCode.limit, reason: limit }));
      return undefined;
    }
    if (isOpen) this.#options.charge(STREAM_FRAMES);
    clearTimeout(this.#timer);
    const stream = new RelayStream(number, { hostname, port }, this.#context);
    this.#streams.set(number, stream);
    this.#streamCount++;
    if (isOpen) stream.start();
    return undefined;
  }

  #takeStream(): StreamLimit | undefined {
    const { resources, budget } = this.#options;
    return resources.memory.isFull ? 'memory' : budget.takeStream();
  }

  #onData(number: number, payload: Uint8Array): string | undefined {
    if (!this.#credit.receive(payload.length)) return 'more DATA than the socket was granted';
    this.#grantCredit();
    return this.#onStream(number, stream => stream.receive(payload), 'DATA out of turn');
  }

  #onCredit(number: number, bytes: number): string | undefined {
    const violation = 'more CREDIT than a window may have';
    if (number === SOCKET) return this.#outbox.grant(bytes) ? undefined : violation;
    return this.#onStream(number, stream => stream.grant(bytes), violation);
  }

  /** A message for a stream that has ended may have crossed the end on its way. */
  #onStream(number: number, act: (stream: RelayStream) => unknown, violation: string): string | undefined {
    if (number > this.#lastStream) return 'a stream that was never opened';
    const stream = this.#streams.get(number);
    return stream && act(stream) === false ? violation : undefined;
  }

  #onStreamEnded(stream: RelayStream): void {
    this.#streams.delete(stream.number);
    if (stream.hasStarted) this.#options.budget.releaseStream();
    this.#bytesFromPage += stream.bytesFromPage;
    this.#bytesFromTarget += stream.bytesFromTarget;
    if (this.#state !== 'open' || this.#streams.size > 0) return;
    if (!this.#closeWhenGone()) this.#awaitStream();
  }

  #awaitStream(): void {
    this.#startTimer(this.#options.settings.idleTimeoutMs, () => this.close(CloseCode.idle, ''));
  }

  // The socket's own window and round trip

  #grantCredit(): void {
    const bytes = this.#credit.takeGrant();
    if (bytes === 0) return;
    this.#outbox.sendControl(encodeCredit(SOCKET, bytes));
    this.#roundTrip.refresh();
  }

  #onPong(nonce: number): string | undefined {
    if (!this.#roundTrip.answered(nonce)) return 'PONG without PING';
    this.#closeWhenGone();
    return undefined;
  }

  /** With the answer to the PING behind GOAWAY, all that the page had opened before it knew is here. */
  #closeWhenGone(): boolean {
    const ping = this.#goAwayPing;
    if (ping === undefined || !this.#roundTrip.hasAnswered(ping) || this.#streams.size > 0) return false;
    this.close(CloseCode.lifetime, '');
    return true;
  }

  // Ends

  /** Who has not said a proper HELLO gets no close frame, and not the time to answer one. */
  #protocolError(reason: string): void {
    if (this.#state === 'hello' || this.#state === 'admitting') {
      this.#release(CloseCode.protocol, reason);
      this.#webSocket.terminate();
      return;
    }
    this.close(CloseCode.protocol, reason);
  }

  /** A malformed WebSocket frame, or the connection's own failure; `ws` closes by itself. */
  #onWebSocketError(error: Error): void {
    const { id, settings } = this.#options;
    settings.log({ type: 'error', connection: id, message: loggable(error.message) });
    if (this.#state === 'hello') this.#protocolError('malformed WebSocket');
  }

  #startTimer(timeoutMs: number, onTimeout: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = timeoutMs > 0 ? setTimeout(onTimeout, timeoutMs) : undefined;
  }

  #logClosed(code: number, reason: string): void {
    const { id, settings } = this.#options;
    settings.log({
      type: 'closed',
      connection: id,
      code,
      reason,
      streams: this.#streamCount,
      bytesFromPage: this.#bytesFromPage,
      bytesFromTarget: this.#bytesFromTarget,
      durationMs: Math.round(performance.now() - this.#startedAt),
    });
  }
}
