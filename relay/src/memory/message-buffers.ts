import type { PageMemory } from './relay-memory.js';

const SMALLEST_BYTES = 512;
/** From this size on buffers are fresh pages of the system each time, which costs more than to fill them. */
const LARGE_BYTES = 32 * 1024;
const POOLED_BYTES = 16 * 1024 * 1024;
/** Of smaller buffers, whose making and collection costs about as much as to send a small message: those of a few messages at once. */
const POOLED_SMALL_BYTES = 256 * 1024;

/** Buffers for messages to pages, used again. */
export class BufferPool {
  readonly #large = new FreeBuffers(POOLED_BYTES);
  readonly #small = new FreeBuffers(POOLED_SMALL_BYTES);

  /** At least as many bytes, with anything in them. */
  take(bytes: number): Buffer {
    const size = Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
    return this.#freeOf(size).take(size) ?? Buffer.allocUnsafeSlow(size);
  }

  give(buffer: Buffer): void {
    this.#freeOf(buffer.length).give(buffer);
  }

  #freeOf(size: number): FreeBuffers {
    return size < LARGE_BYTES ? this.#small : this.#large;
  }
}

/** Buffers that nobody uses, by size. */
class FreeBuffers {
  readonly #maxBytes: number;
  readonly #buffers = new Map<number, Buffer[]>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  take(size: number): Buffer | undefined {
    const buffer = this.#buffers.get(size)?.pop();
    if (buffer) this.#bytes -= size;
    return buffer;
  }

  give(buffer: Buffer): void {
    const size = buffer.length;
    if (this.#bytes + size > this.#maxBytes) return;
    this.#bytes += size;
    const buffers = this.#buffers.get(size);
    if (buffers) buffers.push(buffer);
    else this.#buffers.set(size, [buffer]);
  }
}

/** A page's buffers, which count as its memory while they are out. */
export class MessageBuffers {
  readonly #pool: BufferPool;
  readonly #memory: PageMemory;

  constructor(pool: BufferPool, memory: PageMemory) {
    this.#pool = pool;
    this.#memory = memory;
  }

  /** At least as many bytes, with anything in them. */
  take(bytes: number): Buffer {
    const buffer = this.#pool.take(bytes);
    this.#memory.hold(buffer.length);
    return buffer;
  }

  /** Takes back what `take` gave, once. */
  give(buffer: Buffer): void {
    this.#memory.release(buffer.length);
    this.#pool.give(buffer);
  }
}
