import { performance } from 'node:perf_hooks';
import type { RawData, WebSocket } from 'ws';
import { CloseCode, ResetCode } from '../../../src/tunnel/wire/codes.js';
import {
  encodeCredit,
  encodeReset,
  encodeWelcome,
  type Frame,
  type HelloFrame,
  SOCKET,
} from '../../../src/tunnel/wire/frames.js';
import { PROTOCOL_VERSION } from '../../../src/tunnel/wire/limits.js';
import type { PageBudget, Refusal } from '../admission/budgets/page-budget.js';
import { loggable } from '../events.js';
import { MessageBuffers } from '../memory/message-buffers.js';
import type { PageMemory } from '../memory/relay-memory.js';
import { MemoryBoundBudget, type RelayResources } from '../memory/resources.js';
import type { RelaySettings } from '../options.js';
import { Departure } from './departure.js';
import { decodeParts, tellInParts } from './message-parts.js';
import { Outbox } from './outbox.js';
import type { ReadGate } from './read-gate.js';
import { RoundTrip } from './round-trip.js';
import { SocketCredit } from './socket-credit.js';
import { type StreamFrame, StreamTable, TOO_MUCH_CREDIT } from './stream-table.js';

/** Time for a refused page to take the close code. */
const REFUSED_TIMEOUT_MS = 1000;
/** What the windows of a socket's streams may grow by. */
const GROWTH_BYTES = 32 * 1024 * 1024;

export interface SessionOptions {
  /** The socket's number in the relay's events. */
  id: number;
  settings: RelaySettings;
  resources: RelayResources;
  memory: PageMemory;
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
  readonly #departure: Departure;
  /** From HELLO on. */
  #streams: StreamTable | undefined;
  #state: 'hello' | 'admitting' | 'open' | 'closed' = 'hello';
  /** Until HELLO, the wait for it; then the wait for a stream. */
  #timer: NodeJS.Timeout | undefined;

  constructor(webSocket: WebSocket, options: SessionOptions) {
    this.#webSocket = webSocket;
    this.#options = options;
    const { settings, memory, budget, gate } = options;
    this.#outbox = new Outbox(webSocket, {
      memory,
      sendDelayMs: bytes => budget.sendDelayMs(bytes),
      onDrain: () => this.#outbox.isOverfull || gate.open('queue'),
    });
    this.#roundTrip = new RoundTrip(this.#outbox);
    this.#credit = new SocketCredit(settings.maxWindowBytes);
    this.#departure = new Departure({
      outbox: this.#outbox,
      roundTrip: this.#roundTrip,
      onTimeout: () => this.close(CloseCode.lifetime, ''),
    });
    tellInParts(webSocket);
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
    return this.#streams?.size ?? 0;
  }

  /** Bytes that wait here for the page or its targets. */
  get heldBytes(): number {
    return this.#outbox.queuedBytes + (this.#streams?.heldBytes ?? 0);
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
    if (this.#state === 'open') this.#departure.begin();
  }

  #release(code: number, reason: string): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#departure.stop();
    this.#outbox.close();
    this.#streams?.abandon();
    // A WebSocket that is not read would not see the answer to its close.
    this.#options.gate.open('queue');
    const { id, settings } = this.#options;
    settings.log({
      type: 'closed',
      connection: id,
      code,
      reason,
      ...(this.#streams?.totals ?? { streams: 0, bytesFromPage: 0, bytesFromTarget: 0 }),
      durationMs: Math.round(performance.now() - this.#startedAt),
    });
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#state === 'closed') return;
    const frames = isBinary && Array.isArray(data) ? decodeParts(data) : undefined;
    let violation = frames ? undefined : 'malformed message';
    for (const frame of frames ?? []) violation ??= this.#onFrame(frame);
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
    // A part of the same message may have closed it.
    if (this.#state === 'closed') return undefined;
    if (!this.#streams) return frame.type === 'hello' ? this.#onHello(frame) : 'no HELLO';
    switch (frame.type) {
      case 'open':
      case 'data':
      case 'credit':
      case 'end':
      case 'reset':
        return this.#onStreamFrame(this.#streams, frame);
      case 'ping':
        this.#roundTrip.answer(frame.nonce);
        return undefined;
      case 'pong':
        return this.#onPong(frame.nonce);
      default:
        return `${frame.type} out of turn`;
    }
  }

  #onHello(hello: HelloFrame): string | undefined {
    if (hello.version !== PROTOCOL_VERSION) return 'unknown version';
    this.#state = 'admitting';
    clearTimeout(this.#timer);
    this.#streams = this.#createStreams(hello);
    this.#outbox.grant(hello.socketWindowBytes);
    void this.#admit(hello.token);
    return undefined;
  }

  #createStreams(hello: HelloFrame): StreamTable {
    const { id, settings, resources, memory, remoteAddress, budget, charge } = this.#options;
    return new StreamTable({
      context: {
        connection: id,
        settings,
        resources,
        memory,
        buffers: new MessageBuffers(resources.buffers, memory),
        account: remoteAddress,
        narrowedTo: () => budget.targets,
        outbox: this.#outbox,
        growthBudget: new MemoryBoundBudget(GROWTH_BYTES, memory),
        roundTripMs: () => this.#roundTrip.shortestMs,
        pageWindowBytes: hello.streamWindowBytes,
      },
      take: () => (memory.isFull ? 'memory' : budget.takeStream()),
      release: () => budget.releaseStream(),
      charge,
      refuse: (stream, limit) =>
        this.#outbox.sendControl(encodeReset({ stream, code: ResetCode.limit, reason: limit })),
      onEmpty: () => this.#onEmpty(),
    });
  }

  async #admit(token: string): Promise<void> {
    const { id, settings, budget } = this.#options;
    let refusal: Refusal | undefined;
    try {
      refusal = await budget.admit(token);
    } catch (error) {
      settings.log({ type: 'error', connection: id, message: loggable(`cannot judge a token: ${error}`) });
      refusal = { code: CloseCode.unavailable, reason: '' };
    }
    if (this.#state !== 'admitting') return;
    if (refusal) this.close(refusal.code, refusal.reason);
    else this.#welcome();
  }

  #welcome(): void {
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
    this.#departure.beginAfter(settings.maxSocketAgeMs);
    if (this.streams === 0) this.#awaitStream();
    this.#streams?.start();
  }

  #onStreamFrame(streams: StreamTable, frame: StreamFrame): string | undefined {
    if (frame.type === 'credit' && frame.stream === SOCKET)
      return this.#outbox.grant(frame.bytes) ? undefined : TOO_MUCH_CREDIT;
    if (frame.type === 'data') {
      if (!this.#credit.receive(frame.payload.length)) return 'more DATA than the socket was granted';
      this.#grantCredit();
    }
    const violation = streams.receive(frame);
    if (frame.type === 'open' && streams.size > 0) clearTimeout(this.#timer);
    return violation;
  }

  #onEmpty(): void {
    if (this.#state === 'open' && !this.#closeWhenGone()) this.#awaitStream();
  }

  #awaitStream(): void {
    this.#startTimer(this.#options.settings.idleTimeoutMs, () => this.close(CloseCode.idle, ''));
  }

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

  /** Once the page has gone on to another socket, and no stream is left. */
  #closeWhenGone(): boolean {
    if (!this.#departure.isKnown || this.streams > 0) return false;
    this.close(CloseCode.lifetime, '');
    return true;
  }

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
}
