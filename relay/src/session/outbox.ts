import type { WebSocket } from 'ws';
import { DATA_HEADER_BYTES, MAX_SOCKET_WINDOW_BYTES } from '../../../src/tunnel/wire/limits.js';
import type { PageMemory } from '../memory/relay-memory.js';
import { MAX_RECORD_BYTES } from './tls-records.js';

/** Above it no stream gets a turn, and no target is read: its own TCP window holds it back. */
const QUEUE_BYTES = 512 * 1024;
/** The same when memory is full for the page. */
const SCARCE_QUEUE_BYTES = 64 * 1024;
/** Above it the page itself is not read: only answers to what it sends can fill the queue so far. */
const OVERFULL_BYTES = 1024 * 1024;
/** About what `ws`, Node and libuv keep for a message, however short. */
const MESSAGE_OVERHEAD_BYTES = 512;

export interface TurnTaker {
  /** Sends one message of at most so many bytes of payload, and requests a further turn when it has more. */
  takeTurn(limitBytes: number): void;
}

export interface OutboxOptions {
  memory: PageMemory;
  /** Counts bytes for the page; gives the milliseconds for which none may follow. */
  sendDelayMs: (bytes: number) => number;
  /** Called when messages have left. */
  onDrain: () => void;
}

/** What waits for a page's network: messages in order, and streams that have something to send, one message each in turn. */
export class Outbox {
  readonly #webSocket: WebSocket;
  readonly #options: OutboxOptions;
  readonly #ready = new Set<TurnTaker>();
  #serving = false;
  /** Runs while the page has had more bytes than its rate allows. */
  #delay: NodeJS.Timeout | undefined;
  #queuedBytes = 0;
  /** Payload that the page's socket window has room for. */
  #creditBytes = 0;

  constructor(webSocket: WebSocket, options: OutboxOptions) {
    this.#webSocket = webSocket;
    this.#options = options;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get isOverfull(): boolean {
    return this.#queuedBytes >= OVERFULL_BYTES;
  }

  /**
   * Whether a message with a record in it may leave now. A page gives credit back before a quarter of its window is missing, so it
   * never leaves less than a record for ever.
   */
  get hasRoom(): boolean {
    const limit = this.#options.memory.isFull ? SCARCE_QUEUE_BYTES : QUEUE_BYTES;
    return this.#delay === undefined && this.#creditBytes >= MAX_RECORD_BYTES && this.#queuedBytes < limit;
  }

  /** `false` when the page grants more than the format lets it. */
  grant(bytes: number): boolean {
    this.#creditBytes += bytes;
    if (this.#creditBytes > MAX_SOCKET_WINDOW_BYTES) return false;
    this.#serve();
    return true;
  }

  /** The taker's turn comes when it is the first in the queue and there is room: at once, perhaps. */
  requestTurn(taker: TurnTaker): void {
    this.#ready.add(taker);
    this.#serve();
  }

  withdraw(taker: TurnTaker): void {
    this.#ready.delete(taker);
  }

  /** Sends DATA in a turn; `costBytes` is the size of the buffer under the message. */
  sendData(message: Uint8Array, costBytes: number, onSent: () => void): void {
    this.#creditBytes -= message.length - DATA_HEADER_BYTES;
    this.#wait(this.#options.sendDelayMs(message.length));
    this.#send(message, costBytes, onSent);
  }

  sendControl(message: Uint8Array, onSent?: () => void): void {
    this.#send(message, message.length, onSent);
  }

  /** Answers a ping of WebSocket itself. */
  sendPong(data: Uint8Array): void {
    this.#webSocket.pong(data, false, this.#queue(data.length));
  }

  close(): void {
    clearTimeout(this.#delay);
  }

  #wait(delayMs: number): void {
    if (delayMs === 0) return;
    clearTimeout(this.#delay);
    this.#delay = setTimeout(() => {
      this.#delay = undefined;
      this.#serve();
    }, delayMs);
  }

  #send(message: Uint8Array, bytes: number, onSent: (() => void) | undefined): void {
    this.#webSocket.send(message, this.#queue(bytes, onSent));
  }

  /** Counts a message until the function that it gives is called, with an error where the WebSocket is gone: its close follows. */
  #queue(bytes: number, onSent?: () => void): () => void {
    const costBytes = bytes + MESSAGE_OVERHEAD_BYTES;
    this.#queuedBytes += costBytes;
    return () => {
      this.#queuedBytes -= costBytes;
      onSent?.();
      this.#serve();
      this.#options.onDrain();
    };
  }

  #serve(): void {
    // A turn requests the next one.
    if (this.#serving) return;
    this.#serving = true;
    for (const taker of this.#ready) {
      if (!this.hasRoom) break;
      this.#ready.delete(taker);
      taker.takeTurn(this.#creditBytes);
    }
    this.#serving = false;
  }
}
