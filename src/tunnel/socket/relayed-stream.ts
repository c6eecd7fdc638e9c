import type { HostPort } from '../../util/host-port.js';
import { resetError } from '../errors/close-error.js';
import { ResetCode } from '../wire/codes.js';
import { encodeCredit, encodeData, encodeEnd, encodeReset, writeDataHeader } from '../wire/frames.js';
import { DATA_HEADER_BYTES, MAX_DATA_BYTES, MAX_WINDOW_BYTES, MIN_WINDOW_BYTES } from '../wire/limits.js';
import type { ReceiveWindow } from '../wire/receive-window.js';
import type { Outbox, Sender } from './outbox.js';

/** What a stream tells its user. */
export interface StreamHandlers {
  /** Bytes have come. They count against the window until `consumed` is called for them. */
  onBytes(bytes: Uint8Array): void;
  /** The target has said all. */
  onEnd(): void;
  /** Both directions are over; what came before stays good. */
  onError(error: unknown): void;
  /** All that was written has left, and more may. */
  onDrain(): void;
}

/** What a stream needs of its socket. */
export interface StreamLink {
  readonly outbox: Outbox;
  send(message: Uint8Array<ArrayBuffer>): void;
  /** The stream is over: its number means nothing any longer. */
  onOver(stream: RelayedStream): void;
}

const nobody: StreamHandlers = { onBytes() {}, onEnd() {}, onError() {}, onDrain() {} };

/** One stream of a tunnel's socket: bytes to one target and back. */
export class RelayedStream implements Sender {
  readonly number: number;
  readonly address: HostPort;
  /** Set by the stream's user, in the turn in which it gets the stream. */
  handlers: StreamHandlers = nobody;

  readonly #link: StreamLink;
  readonly #window: ReceiveWindow;
  /** Bytes that the relay still has room for. */
  #creditBytes = MIN_WINDOW_BYTES;
  /** The most that it ever had room for. */
  #mostCreditBytes = MIN_WINDOW_BYTES;
  /** Its user wants to write when there is room. */
  #wantsRoom = false;
  /** Written, and not sent. */
  #waiting: Uint8Array[] = [];
  #opened = false;
  #localEnd: 'none' | 'wanted' | 'sent' = 'none';
  #remoteEnded = false;
  #over = false;

  constructor(number: number, parts: { address: HostPort; link: StreamLink; window: ReceiveWindow }) {
    this.number = number;
    this.address = parts.address;
    this.#link = parts.link;
    this.#window = parts.window;
  }

  /** Sends as far as credit and network allow. `false`: some has to wait, and `onDrain` follows. */
  write(bytes: Uint8Array): boolean {
    if (this.#over || this.#localEnd !== 'none' || bytes.length === 0) return true;
    this.#waiting.push(bytes);
    this.#link.outbox.add(this);
    return this.#waiting.length === 0;
  }

  /**
   * The same for bytes that are good for this call alone: a message of their own is sent from where they are, behind a header in the
   * room in front of them; otherwise they are copied.
   */
  lend(bytes: Uint8Array, roomBytes: number): boolean {
    const isOpen = !this.#over && this.#localEnd === 'none' && this.#waiting.length === 0;
    const most = Math.min(this.#creditBytes, MAX_DATA_BYTES);
    if (isOpen && roomBytes >= DATA_HEADER_BYTES && bytes.length > 0 && bytes.length <= most) {
      const start = bytes.byteOffset - DATA_HEADER_BYTES;
      const message = new Uint8Array(bytes.buffer as ArrayBuffer, start, DATA_HEADER_BYTES + bytes.length);
      writeDataHeader(message, this.number);
      if (this.#link.outbox.sendNow(message)) {
        this.#creditBytes -= bytes.length;
        return true;
      }
    }
    return this.write(bytes.slice());
  }

  /** Whether something that was written has not left. */
  get hasUnsent(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether what is written now leaves at once, unless it is larger than a message. `false`: `onDrain` follows. */
  hasRoom(): boolean {
    if (this.#over || this.#localEnd !== 'none') return true;
    if (this.hasUnsent) return false;
    if (this.#hasCredit() && this.#link.outbox.hasRoom) return true;
    this.#wantsRoom = true;
    this.#link.outbox.add(this);
    return !this.#wantsRoom;
  }

  /** Ends this direction, behind all that was written. */
  end(): void {
    if (this.#over || this.#localEnd !== 'none') return;
    this.#localEnd = 'wanted';
    this.#link.outbox.add(this);
  }

  /** Gives both directions up. */
  reset(): void {
    if (this.#over) return;
    this.#link.send(encodeReset({ stream: this.number, code: ResetCode.givenUp, reason: '' }));
    this.#finish();
  }

  /** The user has taken so many of the bytes that came. */
  consumed(bytes: number): void {
    if (this.#over || this.#remoteEnded) return;
    const credit = this.#window.consume(bytes);
    if (credit > 0) this.#link.send(encodeCredit(this.number, credit));
  }

  nextMessage(maxBytes: number): Uint8Array<ArrayBuffer> | undefined {
    const [bytes] = this.#waiting;
    if (!bytes) {
      this.#tellRoom();
      return this.#endMessage();
    }
    const length = Math.min(bytes.length, this.#creditBytes, maxBytes);
    if (length <= 0) return undefined;
    this.#creditBytes -= length;
    const message = encodeData(this.number, bytes.subarray(0, length));
    if (length < bytes.length) this.#waiting[0] = bytes.subarray(length);
    else this.#waiting.shift();
    return message;
  }

  onSent(): void {
    if (this.#waiting.length > 0) return;
    if (this.#localEnd !== 'sent') this.handlers.onDrain();
    else if (this.#remoteEnded) this.#finish();
  }

  /** `false` when the credit passes the bound of the format. */
  grant(bytes: number): boolean {
    this.#creditBytes += bytes;
    this.#mostCreditBytes = Math.max(this.#mostCreditBytes, this.#creditBytes);
    if (this.#waiting.length > 0 || this.#wantsRoom) this.#link.outbox.add(this);
    return this.#creditBytes <= MAX_WINDOW_BYTES;
  }

  // What the relay says. Each gives what is wrong with it, if anything is.

  onOpened(): string | undefined {
    if (this.#opened) return 'a second OPENED';
    this.#opened = true;
    return undefined;
  }

  onData(payload: Uint8Array): string | undefined {
    if (!this.#opened || this.#remoteEnded) return 'DATA out of turn';
    if (!this.#window.receive(payload.length)) return 'more DATA than granted';
    this.handlers.onBytes(payload);
    return undefined;
  }

  onCredit(bytes: number): string | undefined {
    if (!this.#opened) return 'CREDIT out of turn';
    return this.grant(bytes) ? undefined : 'more CREDIT than a window has';
  }

  onEnd(): string | undefined {
    if (!this.#opened || this.#remoteEnded) return 'END out of turn';
    this.#remoteEnded = true;
    if (this.#localEnd === 'sent') this.#finish();
    this.handlers.onEnd();
    return undefined;
  }

  onReset(code: number, reason: string): void {
    this.fail(resetError({ code, reason }, this.address));
  }

  /** Ends both directions for a reason that is not the user's. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#finish();
    this.handlers.onError(error);
  }

  /** For a whole message, so that it need not be cut: a relay gives credit back before a quarter of its window is missing. */
  #hasCredit(): boolean {
    return this.#creditBytes >= Math.min(MAX_DATA_BYTES, this.#mostCreditBytes / 2);
  }

  #tellRoom(): void {
    if (!this.#wantsRoom || !this.#hasCredit()) return;
    this.#wantsRoom = false;
    this.handlers.onDrain();
  }

  #endMessage(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#localEnd !== 'wanted') return undefined;
    this.#localEnd = 'sent';
    return encodeEnd(this.number);
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting = [];
    this.#link.outbox.remove(this);
    this.#window.release();
    this.#link.onOver(this);
  }
}
