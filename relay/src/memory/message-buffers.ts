import type { PageMemory } from './relay-memory.js';

const SMALLEST_BYTES = 512;
/** Smaller buffers are cheap to make. Larger ones are fresh pages of the system each time, which costs more than to fill them. */
const SMALLEST_POOLED_BYTES = 32 * 1024;
const POOLED_BYTES = 16 * 1024 * 1024;

/** Buffers for messages to pages, used again. */
export class BufferPool {
  readonly #free = new Map<number, Buffer[]>();
  #freeBytes = 0;

  /** At least as many bytes, with anything in them. */
  take(bytes: number): Buffer {
    const size = Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
    const free = this.#free.get(size)?.pop();
    if (free) this.#freeBytes -= size;
    return free ?? Buffer.allocUnsafeSlow(size);
  }

  give(buffer: Buffer): void {
    const size = buffer.length;
    if (size < SMALLEST_POOLED_BYTES || this.#freeBytes + size > POOLED_BYTES) return;
    this.#freeBytes += size;
    const free = this.#free.get(size);
    if (free) free.push(buffer);
    else this.#free.set(size, [buffer]);
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
