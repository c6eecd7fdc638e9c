import type { Socket } from 'node:net';
import { ChunkQueue } from '../../../src/tunnel/wire/chunk-queue.js';
import type { ReceiveWindow } from '../../../src/tunnel/wire/receive-window.js';
import type { PageMemory } from '../memory/relay-memory.js';

/** What TCP is given in one go: its end is when credit can be given for all of it. */
const BATCH_BYTES = 256 * 1024;
/** So much is likely to have more behind it, and waits for what else is read in this turn. Less leaves at once: somebody waits for it. */
const BULK_BYTES = 4 * 1024;

export interface TargetWriterOptions {
  window: ReceiveWindow;
  memory: PageMemory;
  /** Grants the page credit. */
  onCredit: (bytes: number) => void;
  /** TCP has taken bytes. */
  onTaken: () => void;
}

/** The direction from the page to the target: holds what TCP has not taken, never more than the window. */
export class TargetWriter {
  readonly #options: TargetWriterOptions;
  readonly #queue = new ChunkQueue();
  #socket: Socket | undefined;
  /** Bytes that TCP has been given and has not taken. */
  #writingBytes = 0;
  /** A write comes at the end of the turn. */
  #scheduled = false;
  /** Which the last chunk in the queue keeps, about. */
  #lastBuffer: ArrayBufferLike | undefined;
  #ended = false;
  #discarded = false;
  #receivedBytes = 0;
  /** Credit that has to wait for memory. */
  #withheldBytes = 0;
  readonly #grantWithheld = () => this.#grant(0);
  readonly #writeScheduled = () => {
    this.#scheduled = false;
    this.#write();
  };
  readonly #onWritten = (error?: Error | null) => {
    if (error || this.#discarded) return;
    const bytes = this.#writingBytes;
    this.#writingBytes = 0;
    this.#options.memory.release(bytes);
    this.#options.onTaken();
    if (!this.#ended) this.#grant(this.#options.window.consume(bytes));
    this.#write();
  };

  constructor(options: TargetWriterOptions) {
    this.#options = options;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get heldBytes(): number {
    return this.#queue.byteLength + this.#writingBytes;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** `false` when the page had no credit for it. */
  receive(payload: Uint8Array): boolean {
    if (!this.#options.window.receive(payload.length)) return false;
    this.#receivedBytes += payload.length;
    this.#options.memory.hold(payload.length);
    const waits = this.#socket === undefined || this.#writingBytes > 0;
    const isFirst = !waits && this.#queue.byteLength === 0;
    this.#queue.push(isFirst ? this.#kept(payload) : this.#compact(payload));
    if (!waits) this.#writeSoon(payload.length);
    return true;
  }

  /** The target gets FIN once it has got all that was received before. */
  end(): void {
    this.#ended = true;
    this.#write();
  }

  /** The TCP connection stands. */
  start(socket: Socket): void {
    this.#socket = socket;
    this.#write();
  }

  discard(): void {
    this.#discarded = true;
    this.#options.memory.forget(this.#grantWithheld);
    this.#options.memory.release(this.heldBytes);
    this.#options.window.release();
    this.#writingBytes = 0;
    this.#lastBuffer = undefined;
    this.#queue.clear();
  }

  /** One system call for all that is read in a turn, up to a batch. */
  #writeSoon(bytes: number): void {
    if (this.#queue.byteLength >= BATCH_BYTES) this.#write();
    else if (this.#scheduled) return;
    else if (bytes < BULK_BYTES) this.#write();
    else {
      this.#scheduled = true;
      setImmediate(this.#writeScheduled);
    }
  }

  /** What comes while TCP is being given something waits, and then leaves in one system call. */
  #write(): void {
    const socket = this.#socket;
    if (!socket || this.#discarded || this.#writingBytes > 0) return;
    this.#lastBuffer = undefined;
    let chunk = this.#queue.shift();
    const isAlone = this.#queue.byteLength === 0;
    if (!isAlone) socket.cork();
    while (chunk) {
      this.#writingBytes += chunk.length;
      const isLast = this.#queue.byteLength === 0 || this.#writingBytes >= BATCH_BYTES;
      socket.write(chunk, isLast ? this.#onWritten : undefined);
      chunk = isLast ? undefined : this.#queue.shift();
    }
    if (!isAlone) socket.uncork();
    if (this.#ended && this.#queue.byteLength === 0 && !socket.writableEnded) socket.end();
  }

  #grant(bytes: number): void {
    this.#withheldBytes += bytes;
    if (this.#withheldBytes === 0) return;
    if (this.#options.memory.isFull) {
      this.#options.memory.whenRelieved(this.#grantWithheld);
      return;
    }
    const creditBytes = this.#withheldBytes;
    this.#withheldBytes = 0;
    this.#options.onCredit(creditBytes);
  }

  /** A view of a small part keeps the whole buffer that was read: unless its neighbour does so too, it gets memory of its own. */
  #compact(payload: Uint8Array): Uint8Array {
    const isSmall = payload.length * 2 < payload.buffer.byteLength;
    return isSmall && payload.buffer !== this.#lastBuffer ? new Uint8Array(payload) : this.#kept(payload);
  }

  #kept(payload: Uint8Array): Uint8Array {
    this.#lastBuffer = payload.buffer;
    return payload;
  }
}
