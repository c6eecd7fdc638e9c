import type { RelayMemory } from './relay-memory.js';

const SMALLEST_BYTES = 512;
/** Smaller buffers are cheap to make. Larger ones are fresh pages of the system each time, which costs more than to fill them. */
const SMALLEST_POOLED_BYTES = 32 * 1024;
const POOLED_BYTES = 16 * 1024 * 1024;

/** Buffers for messages to pages, used again, and counted while they are out. */
export class MessageBuffers {
  readonly #memory: RelayMemory;
  readonly #free = new Map<number, Buffer[]>();
  #freeBytes = 0;

  constructor(memory: RelayMemory) {
    this.#memory = memory;
  }

  /** At least as many bytes, with anything in them. */
  take(bytes: number): Buffer {
    const size = Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
    this.#memory.hold(size);
    const free = this.#free.get(size)?.pop();
    if (free) this.#freeBytes -= size;
    return free ?? Buffer.allocUnsafeSlow(size);
  }

  /** Takes back what `take` gave, once. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    this.#memory.release(size);
    if (size < SMALLEST_POOLED_BYTES || this.#freeBytes + size > POOLED_BYTES) return;
    this.#freeBytes += size;
    const free = this.#free.get(size);
    if (free) free.push(buffer);
    else this.#free.set(size, [buffer]);
  }
}
