import { writeDataHeader } from '../../../src/tunnel/wire/frames.js';
import { DATA_HEADER_BYTES, MAX_DATA_BYTES, MAX_WINDOW_BYTES } from '../../../src/tunnel/wire/limits.js';
import type { MessageBuffers } from '../memory/message-buffers.js';
import type { Outbox, TurnTaker } from './outbox.js';
import { wholeRecordsLength } from './tls-records.js';

export interface TargetReaderOptions {
  /** The stream's number. */
  stream: number;
  /** What the page's window for the stream starts with. */
  creditBytes: number;
  outbox: Outbox;
  buffers: MessageBuffers;
  observe: (payload: Uint8Array) => void;
  /** The target is to be read again. */
  onResume: () => void;
}

/** A message in the making: the bytes of a buffer up to `end`, of which the first are the header's. */
interface Message {
  buffer: Buffer;
  end: number;
}

/**
 * The direction from the target to the page: makes messages of what is read, and sends them as windows, network and turn allow.
 *
 * A message ends with a TLS record: an incomplete one is kept until its rest has come. When the bytes turn out not to be TLS records,
 * they pass as they come.
 */
export class TargetReader implements TurnTaker {
  readonly #options: TargetReaderOptions;
  #creditBytes: number;
  #isTls = true;
  /** Waits for a turn; nothing is read meanwhile. */
  #pending: Message | undefined;
  /** An incomplete record behind the pending message. */
  #partial: Message | undefined;
  #paused = false;
  /** Set when nothing more will be read; called when all of it has been sent. */
  #onFlushed: (() => void) | undefined;
  #sentBytes = 0;

  constructor(options: TargetReaderOptions) {
    this.#options = options;
    this.#creditBytes = options.creditBytes;
  }

  get heldBytes(): number {
    return (this.#pending?.buffer.length ?? 0) + (this.#partial?.buffer.length ?? 0);
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Begins; `false`: what is read now could only wait, so that the target is not to be read until `onResume`. */
  start(): boolean {
    this.#paused = this.#mustPause();
    this.#requestTurn();
    return !this.#paused;
  }

  /** Takes bytes that are valid during the call; `false` stops the reading until `onResume`. */
  read(bytes: Uint8Array): boolean {
    const { buffer, end } = this.#join(bytes);
    const payload = buffer.subarray(DATA_HEADER_BYTES, end);
    const length = this.#sendableLength(payload, payload.length);
    if (length === 0) {
      this.#partial = { buffer, end };
    } else {
      if (length < payload.length) this.#partial = this.#copy(payload.subarray(length));
      this.#pending = { buffer, end: DATA_HEADER_BYTES + length };
      this.#requestTurn();
    }
    this.#paused = this.#mustPause();
    this.#requestTurn();
    return !this.#paused;
  }

  /** The page has room for more; `false` when that is more than the format lets it grant. */
  grant(bytes: number): boolean {
    this.#creditBytes += bytes;
    if (this.#creditBytes > MAX_WINDOW_BYTES) return false;
    this.#requestTurn();
    return true;
  }

  /** Nothing more will be read: sends all that is held, then calls back. */
  flush(onFlushed: () => void): void {
    this.#onFlushed = onFlushed;
    this.#finish();
  }

  discard(): void {
    this.#options.outbox.withdraw(this);
    this.#onFlushed = undefined;
    this.#paused = false;
    for (const message of [this.#pending, this.#partial]) {
      if (message) this.#options.buffers.give(message.buffer);
    }
    this.#pending = undefined;
    this.#partial = undefined;
  }

  takeTurn(limitBytes: number): void {
    if (this.#pending) this.#send(this.#pending, Math.min(limitBytes, this.#creditBytes, MAX_DATA_BYTES));
    this.#finish();
    if (this.#paused && !this.#mustPause()) {
      this.#paused = false;
      this.#options.onResume();
    }
    this.#requestTurn();
  }

  /** With something to send, or with reading to go on with. */
  #requestTurn(): void {
    const { outbox } = this.#options;
    const wants = this.#pending ? this.#pendingLength(this.#creditBytes) > 0 : this.#paused;
    if (wants && this.#creditBytes > 0) outbox.requestTurn(this);
  }

  #mustPause(): boolean {
    return this.#pending !== undefined || this.#creditBytes === 0 || !this.#options.outbox.hasRoom;
  }

  #send({ buffer, end }: Message, limitBytes: number): void {
    const { stream, outbox, buffers, observe } = this.#options;
    const length = this.#pendingLength(limitBytes);
    if (length === 0) return;
    const rest = buffer.subarray(DATA_HEADER_BYTES + length, end);
    this.#pending = rest.length > 0 ? this.#copy(rest) : undefined;
    this.#creditBytes -= length;
    this.#sentBytes += length;
    const message = buffer.subarray(0, DATA_HEADER_BYTES + length);
    observe(message.subarray(DATA_HEADER_BYTES));
    writeDataHeader(message, stream);
    outbox.sendData(message, buffer.length, () => buffers.give(buffer));
  }

  #finish(): void {
    if (!this.#onFlushed || this.#pending) return;
    if (this.#partial) {
      this.#isTls = false;
      this.#pending = this.#partial;
      this.#partial = undefined;
      this.#requestTurn();
      return;
    }
    const onFlushed = this.#onFlushed;
    this.#onFlushed = undefined;
    onFlushed();
  }

  #pendingLength(limitBytes: number): number {
    if (!this.#pending) return 0;
    const { buffer, end } = this.#pending;
    const bytes = end - DATA_HEADER_BYTES;
    if (bytes <= limitBytes) return bytes;
    return this.#sendableLength(buffer.subarray(DATA_HEADER_BYTES, end), limitBytes);
  }

  #sendableLength(payload: Uint8Array, limitBytes: number): number {
    const length = this.#isTls ? wholeRecordsLength(payload, limitBytes) : undefined;
    if (length !== undefined) return length;
    this.#isTls = false;
    return Math.min(payload.length, limitBytes);
  }

  /** What was kept of a record, and the bytes behind it. */
  #join(bytes: Uint8Array): Message {
    const partial = this.#partial;
    this.#partial = undefined;
    if (!partial) return this.#copy(bytes);
    const end = partial.end + bytes.length;
    if (end <= partial.buffer.length) {
      partial.buffer.set(bytes, partial.end);
      return { buffer: partial.buffer, end };
    }
    const buffer = this.#options.buffers.take(end);
    buffer.set(partial.buffer.subarray(0, partial.end));
    buffer.set(bytes, partial.end);
    this.#options.buffers.give(partial.buffer);
    return { buffer, end };
  }

  #copy(bytes: Uint8Array): Message {
    const end = DATA_HEADER_BYTES + bytes.length;
    const buffer = this.#options.buffers.take(end);
    buffer.set(bytes, DATA_HEADER_BYTES);
    return { buffer, end };
  }
}
