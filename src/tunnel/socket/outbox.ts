import {
  DATA_HEADER_BYTES,
  INITIAL_CREDIT_BYTES,
  MAX_DATA_BYTES,
  MAX_SOCKET_WINDOW_BYTES,
} from '../wire/limits.js';

/**
 * Bytes that may wait for the page's network: as many as it takes in so many milliseconds, within bounds. More would only delay what
 * other streams say, and fewer would run out before the outbox looks again.
 */
const BUFFERED_MS = 20;
const MIN_BUFFERED_BYTES = 512 * 1024;
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/** How soon the outbox looks again whether bytes have left: a WebSocket does not tell. */
const LOOK_AGAIN_MS = 4;

/** A stream with something to send. */
export interface Sender {
  /** The next message, DATA with at most so many bytes of payload, or END; undefined when none may be sent now. */
  nextMessage(maxBytes: number): Uint8Array<ArrayBuffer> | undefined;
  /** The message has been handed to the network. */
  onSent(): void;
}

/** The part of a WebSocket that an outbox uses. */
interface Wire {
  readonly bufferedAmount: number;
  readonly extensions: string;
  send(message: Uint8Array<ArrayBuffer>): void;
}

/**
 * Sends the data of all streams of a socket: as far as the relay's window for the socket reaches, no faster than the page's
 * network takes it, and one message of each stream in turn.
 */
export class Outbox {
  readonly #wire: Wire;
  readonly #onFull: () => void;
  readonly #ready = new Set<Sender>();
  #creditBytes = INITIAL_CREDIT_BYTES;
  #flushing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #limitBytes = MIN_BUFFERED_BYTES;
  /** Since when so many bytes have waited, where that was too many. */
  #full: { sinceMs: number; bytes: number } | undefined;

  /** `onFull`: bytes wait for the network. Timers of a hidden page come late, so something else should call `flush` as well. */
  constructor(wire: Wire, onFull: () => void) {
    this.#wire = wire;
    this.#onFull = onFull;
  }

  /** Takes messages of this sender, now and until it has none. */
  add(sender: Sender): void {
    this.#ready.add(sender);
    this.flush();
  }

  remove(sender: Sender): void {
    this.#ready.delete(sender);
  }

  /** `false` when the credit passes the bound of the format. */
  grant(bytes: number): boolean {
    this.#creditBytes += bytes;
    this.flush();
    return this.#creditBytes <= MAX_SOCKET_WINDOW_BYTES;
  }

  /**
   * Sends a message of DATA that is good for this call alone, if it has not to wait for anything. An extension may compress it later, so
   * there is none then.
   */
  sendNow(message: Uint8Array<ArrayBuffer>): boolean {
    const bytes = message.length - DATA_HEADER_BYTES;
    const othersWait = this.#flushing || this.#ready.size > 0;
    if (othersWait || bytes > this.#creditBytes || this.#wire.extensions || this.#isFull()) return false;
    this.#creditBytes -= bytes;
    this.#wire.send(message);
    return true;
  }

  /** Whether a message would leave at once. */
  get hasRoom(): boolean {
    return this.#ready.size === 0 && this.#creditBytes > 0 && !this.#isFull();
  }

  flush(): void {
    // Sending may make a stream's user write, and so lead here again.
    if (this.#flushing || this.#ready.size === 0) return;
    this.#flushing = true;
    for (const sender of this.#ready) {
      if (this.#creditBytes <= 0 || this.#isFull()) break;
      // Behind the others, if it has more: a set is walked in the order of insertion.
      this.#ready.delete(sender);
      const message = sender.nextMessage(Math.min(this.#creditBytes, MAX_DATA_BYTES));
      if (!message) continue;
      this.#creditBytes -= message.length - DATA_HEADER_BYTES;
      this.#wire.send(message);
      this.#ready.add(sender);
      sender.onSent();
    }
    this.#flushing = false;
  }

  close(): void {
    this.#ready.clear();
    clearTimeout(this.#timer);
  }

  #isFull(): boolean {
    const bytes = this.#wire.bufferedAmount;
    if (bytes < this.#limitBytes) {
      if (this.#full) this.#measure(this.#full, bytes);
      this.#full = undefined;
      return false;
    }
    this.#full ??= { sinceMs: performance.now(), bytes };
    if (this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.flush();
      }, LOOK_AGAIN_MS);
      this.#onFull();
    }
    return true;
  }

  /** By what the network has taken since. The first bytes may be in a buffer of its own: so the limit grows in steps. */
  #measure({ sinceMs, bytes }: { sinceMs: number; bytes: number }, leftBytes: number): void {
    const rate = (bytes - leftBytes) / Math.max(1, performance.now() - sinceMs);
    const most = Math.min(2 * this.#limitBytes, MAX_BUFFERED_BYTES);
    this.#limitBytes = Math.max(MIN_BUFFERED_BYTES, Math.min(BUFFERED_MS * rate, most));
  }
}
