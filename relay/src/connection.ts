import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { RawData, WebSocket } from 'ws';
import { ChunkQueue } from '../../src/tunnel/chunk-queue.js';
import { CloseCode } from '../../src/tunnel/close-codes.js';
import {
  DATA_HEADER_BYTES,
  decodeFrame,
  encodeAccept,
  encodeCredit,
  encodeData,
  encodeEnd,
  encodePong,
  type HelloFrame,
} from '../../src/tunnel/frames.js';
import { creditThreshold, INITIAL_CREDIT_BYTES, PROTOCOL_VERSION } from '../../src/tunnel/limits.js';
import { formatHostPort } from '../../src/util/host-port.js';
import type { PageBudget } from './admission/page-budget.js';
import { loggable } from './events.js';
import type { RelaySettings } from './options.js';
import type { Target } from './policy/target.js';
import type { TargetConnector } from './policy/target-connector.js';
import { TargetDeniedError, TargetUnreachableError } from './policy/target-error.js';

/**
 * Bytes that may wait in the relay for a page's network: above it the target is not read, so that its own TCP window holds it back.
 */
const SEND_BUFFER_BYTES = 256 * 1024;
/** Time for a refused page to take the close code. */
const REFUSED_TIMEOUT_MS = 1000;

export interface RelayConnectionOptions {
  id: number;
  settings: RelaySettings;
  targets: TargetConnector;
  budget: PageBudget;
  remoteAddress: string;
}

/** One WebSocket and the TCP connection behind it. Nothing that page or target do makes it throw. */
export class RelayConnection {
  readonly #id: number;
  readonly #webSocket: WebSocket;
  readonly #settings: RelaySettings;
  readonly #targets: TargetConnector;
  readonly #remoteAddress: string;
  /** Ends the lookup and the attempts to connect. */
  readonly #aborted = new AbortController();
  readonly #startedAt = performance.now();
  /** Until HELLO, the wait for it; then the wait for the target; then the wait for bytes. */
  #timer: NodeJS.Timeout | undefined;
  #state: 'hello' | 'admitting' | 'connecting' | 'open' | 'closed' = 'hello';
  readonly #budget: PageBudget;
  /** What came behind HELLO while its token was judged. */
  #heldMessages: [RawData, boolean][] = [];
  #heldMessageBytes = 0;
  #target: string | undefined;
  #denied: string | undefined;
  #socket: Socket | undefined;

  /** From the page, not yet handed to TCP. */
  readonly #toTarget = new ChunkQueue();
  #writing = false;
  /** Why nothing can be written any more. */
  #writeFailure: NodeJS.ErrnoException | undefined;
  #pageEnded = false;
  /** Bytes from the page that it has not been granted again. */
  #unacknowledgedBytes = 0;
  /** A PONG has not left yet. */
  #answering = false;
  /** Those of them that TCP has taken. */
  #takenBytes = 0;

  /** Bytes that the page still has room for. */
  #credit = 0;
  /** Bytes sent to the page that it has not granted again. */
  #unreadBytes = 0;
  /** Read from the target, while the page's window was full. */
  #pending: Buffer | undefined;
  #targetEnded = false;
  #paused = false;
  /** Runs while the page has had more bytes than its rate allows. */
  #sendTimer: NodeJS.Timeout | undefined;

  #bytesFromPage = 0;
  #bytesFromTarget = 0;

  constructor(webSocket: WebSocket, options: RelayConnectionOptions) {
    this.#webSocket = webSocket;
    this.#id = options.id;
    this.#settings = options.settings;
    this.#targets = options.targets;
    this.#remoteAddress = options.remoteAddress;
    this.#budget = options.budget;
    webSocket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    webSocket.on('error', error => this.#onWebSocketError(error));
    webSocket.on('close', code => {
      this.close(code, '');
      this.#budget.leave();
      clearTimeout(this.#timer);
    });
    this.#startTimer(this.#settings.helloTimeoutMs, () => this.close(CloseCode.helloTimeout, ''));
  }

  /** Bytes that wait here for page or target. */
  get heldBytes(): number {
    return (
      this.#heldMessageBytes +
      this.#toTarget.byteLength +
      (this.#socket?.writableLength ?? 0) +
      (this.#pending?.length ?? 0) +
      this.#webSocket.bufferedAmount
    );
  }

  /** Ends the connection: the WebSocket with this code, the target with a reset unless both sides had ended. */
  close(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    const unproven = this.#state === 'hello' || this.#state === 'admitting';
    this.#release(code, reason);
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.close(code, reason);
    // After a close `ws` goes on reading until the other side has answered it.
    if (unproven) this.#startTimer(REFUSED_TIMEOUT_MS, () => this.#webSocket.terminate());
  }

  #release(code: number, reason: string): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    clearTimeout(this.#sendTimer);
    this.#toTarget.clear();
    this.#pending = undefined;
    this.#aborted.abort();
    this.#heldMessages = [];
    this.#heldMessageBytes = 0;
    // A reset, because an orderly end would tell the target that the page had said all it had to say.
    this.#socket?.resetAndDestroy();
    this.#logClosed(code, reason);
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'admitting') {
      this.#hold(data, isBinary);
      return;
    }
    const frame = isBinary && data instanceof Uint8Array ? decodeFrame(data) : undefined;
    switch (frame?.type) {
      case 'hello':
        this.#onHello(frame);
        break;
      case 'data':
        this.#onData(frame.payload);
        break;
      case 'credit':
        this.#onCredit(frame.bytes);
        break;
      case 'end':
        this.#onEnd();
        break;
      case 'ping':
        this.#onPing();
        break;
      default:
        this.#protocolError('malformed message');
    }
  }

  #onHello(hello: HelloFrame): void {
    if (this.#state !== 'hello') {
      this.#protocolError('second HELLO');
      return;
    }
    if (hello.version !== PROTOCOL_VERSION) {
      this.#protocolError('unknown version');
      return;
    }
    this.#state = 'admitting';
    clearTimeout(this.#timer);
    void this.#admit(hello);
  }

  async #admit(hello: HelloFrame): Promise<void> {
    const refusal = await this.#budget.admit(hello.token);
    if (this.#state !== 'admitting') return;
    if (refusal) {
      this.close(refusal.code, refusal.reason);
      return;
    }
    this.#open(hello);
    const held = this.#heldMessages;
    this.#heldMessages = [];
    this.#heldMessageBytes = 0;
    for (const [data, isBinary] of held) this.#onMessage(data, isBinary);
  }

  #hold(data: RawData, isBinary: boolean): void {
    this.#heldMessageBytes += data instanceof Uint8Array ? data.length : 0;
    if (this.#heldMessageBytes > 2 * INITIAL_CREDIT_BYTES) this.#protocolError('more DATA than granted');
    else this.#heldMessages.push([data, isBinary]);
  }

  #open(hello: HelloFrame): void {
    const target = this.#targets.check(hello, this.#budget.targets);
    if (!target) {
      this.#denied = loggable(formatHostPort(hello));
      this.close(CloseCode.target, '');
      return;
    }
    const limit = this.#budget.takeStream();
    if (limit) {
      this.close(CloseCode.limit, limit);
      return;
    }
    this.#target = loggable(formatHostPort(target));
    this.#credit = hello.windowBytes;
    this.#connect(target);
  }

  async #connect(target: Target): Promise<void> {
    this.#state = 'connecting';
    clearTimeout(this.#timer);
    const connectStartedAt = performance.now();
    try {
      const socket = await this.#targets.connect(target, {
        listener: {
          onBytes: bytes => this.#onTargetBytes(bytes),
          onWriteFailed: error => this.#onWriteFailed(error),
        },
        signal: this.#aborted.signal,
        account: this.#remoteAddress,
      });
      this.#socket = socket;
      socket.on('end', () => this.#onTargetEnd());
      socket.on('error', error => this.#onTargetError(error));
      socket.on('close', () => this.#onTargetClose());
      this.#onConnected(connectStartedAt);
    } catch (error) {
      this.#onConnectFailed(error);
    }
  }

  #onConnectFailed(error: unknown): void {
    if (error instanceof TargetDeniedError) {
      this.#target = undefined;
      this.#denied = loggable(error.message);
      this.close(CloseCode.target, '');
      return;
    }
    const reason = error instanceof TargetUnreachableError ? error.reason : 'network';
    this.close(CloseCode.unreachable, reason);
  }

  #onConnected(connectStartedAt: number): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    const durationMs = Math.round(performance.now() - connectStartedAt);
    this.#settings.log({ type: 'connected', connection: this.#id, target: this.#target ?? '', durationMs });
    this.#startTimer(this.#settings.idleTimeoutMs, () => this.close(CloseCode.idle, ''));
    this.#send(encodeAccept(this.#settings.windowBytes));
    this.#writeToTarget();
  }

  // Page to target

  #onData(payload: Uint8Array): void {
    if (this.#state === 'hello' || this.#pageEnded) {
      this.#protocolError('DATA out of turn');
      return;
    }
    const windowBytes = this.#state === 'open' ? this.#settings.windowBytes : INITIAL_CREDIT_BYTES;
    this.#unacknowledgedBytes += payload.length;
    if (this.#unacknowledgedBytes > windowBytes) {
      this.#protocolError('more DATA than granted');
      return;
    }
    this.#bytesFromPage += payload.length;
    this.#settings.observeBytes('page-to-target', payload, this.#id);
    this.#toTarget.push(payload);
    this.#writeToTarget();
  }

  #onEnd(): void {
    if (this.#state === 'hello' || this.#pageEnded) {
      this.#protocolError('END out of turn');
      return;
    }
    this.#pageEnded = true;
    this.#writeToTarget();
  }

  #onPing(): void {
    if (this.#state === 'hello') {
      this.#protocolError('PING out of turn');
      return;
    }
    // One that is still on its way answers what is asked meanwhile: a page that never listens must not collect them here.
    if (this.#answering || this.#webSocket.bufferedAmount >= SEND_BUFFER_BYTES) return;
    this.#answering = true;
    this.#webSocket.send(encodePong(), () => {
      this.#answering = false;
      this.#readOn();
    });
  }

  /** Hands TCP one chunk at a time, so that the queue, which joins small ones, is what waits. */
  #writeToTarget(): void {
    if (this.#writing || this.#state !== 'open') return;
    const chunk = this.#toTarget.shift();
    if (chunk === undefined) {
      if (this.#pageEnded) this.#socket?.end();
      return;
    }
    this.#writing = true;
    this.#socket?.write(chunk, error => {
      this.#writing = false;
      if (error) return;
      this.#touch();
      this.#takenBytes += chunk.length;
      this.#grantCredit();
      this.#writeToTarget();
    });
  }

  #grantCredit(): void {
    if (this.#state !== 'open' || this.#pageEnded) return;
    if (this.#takenBytes < creditThreshold(this.#settings.windowBytes)) return;
    // A page that sends and never receives must not collect CREDIT messages here.
    if (this.#webSocket.bufferedAmount >= SEND_BUFFER_BYTES) return;
    this.#send(encodeCredit(this.#takenBytes));
    this.#unacknowledgedBytes -= this.#takenBytes;
    this.#takenBytes = 0;
  }

  // Target to page

  /** Takes bytes that are valid during the call; `false` stops the reading until `resume`. */
  #onTargetBytes(bytes: Uint8Array): boolean {
    if (this.#state !== 'open') return true;
    this.#touch();
    this.#bytesFromTarget += bytes.length;
    const sentBytes = this.#sendData(bytes);
    if (sentBytes < bytes.length) this.#pending = Buffer.from(bytes.subarray(sentBytes));
    this.#waitToSend(this.#budget.sendDelayMs(bytes.length));
    this.#paused = this.#mustPause();
    return !this.#paused;
  }

  #waitToSend(delayMs: number): void {
    if (delayMs === 0) return;
    this.#sendTimer = setTimeout(() => {
      this.#sendTimer = undefined;
      this.#readOn();
    }, delayMs);
  }

  #onCredit(bytes: number): void {
    if (bytes > this.#unreadBytes) {
      this.#protocolError('CREDIT for nothing');
      return;
    }
    this.#unreadBytes -= bytes;
    this.#credit += bytes;
    this.#touch();
    this.#readOn();
  }

  #onTargetEnd(): void {
    if (this.#writeFailure) {
      this.#onTargetError(this.#writeFailure);
      return;
    }
    this.#targetEnded = true;
    this.#send(encodeEnd());
  }

  /** Goes on once the page's window or its network has room again. */
  #readOn(): void {
    if (this.#state !== 'open') return;
    this.#grantCredit();
    if (!this.#paused) return;
    if (this.#pending) {
      const rest = this.#pending.subarray(this.#sendData(this.#pending));
      this.#pending = rest.length > 0 ? rest : undefined;
    }
    if (this.#mustPause()) return;
    this.#paused = false;
    this.#socket?.resume();
  }

  #mustPause(): boolean {
    return (
      this.#sendTimer !== undefined ||
      this.#pending !== undefined ||
      this.#credit === 0 ||
      this.#webSocket.bufferedAmount >= SEND_BUFFER_BYTES
    );
  }

  #sendData(bytes: Uint8Array): number {
    const length = Math.min(bytes.length, this.#credit);
    if (length === 0) return 0;
    this.#credit -= length;
    this.#unreadBytes += length;
    const message = encodeData(bytes.subarray(0, length));
    this.#settings.observeBytes('target-to-page', message.subarray(DATA_HEADER_BYTES), this.#id);
    this.#send(message);
    return length;
  }

  // Ends

  #onTargetError(error: NodeJS.ErrnoException): void {
    this.close(CloseCode.targetReset, error.code ?? '');
  }

  /** What the target said before goes to the page first; its end follows. */
  #onWriteFailed(error: NodeJS.ErrnoException): void {
    this.#writeFailure = error;
    if (this.#targetEnded) this.#onTargetError(error);
  }

  #onTargetClose(): void {
    if (this.#pageEnded && this.#targetEnded) this.close(CloseCode.done, '');
    else this.close(CloseCode.targetReset, '');
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
    this.#settings.log({ type: 'error', connection: this.#id, message: loggable(error.message) });
    if (this.#state === 'hello') this.#protocolError('malformed WebSocket');
  }

  #send(message: Uint8Array): void {
    // What cannot be sent any more needs no handling: the WebSocket's close follows.
    this.#webSocket.send(message, () => this.#readOn());
  }

  #startTimer(timeoutMs: number, onTimeout: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = timeoutMs > 0 ? setTimeout(onTimeout, timeoutMs) : undefined;
  }

  #touch(): void {
    this.#timer?.refresh();
  }

  #logClosed(code: number, reason: string): void {
    this.#settings.log({
      type: 'closed',
      connection: this.#id,
      ...(this.#target === undefined ? {} : { target: this.#target }),
      ...(this.#denied === undefined ? {} : { denied: this.#denied }),
      code,
      reason,
      bytesFromPage: this.#bytesFromPage,
      bytesFromTarget: this.#bytesFromTarget,
      durationMs: Math.round(performance.now() - this.#startedAt),
    });
  }
}
