const SMALL_BYTES = 4 * 1024;
const SLAB_BYTES = 16 * 1024;

/**
 * Bytes waiting in order, at a cost in memory close to their number.
 *
 * Small chunks are copied together: a window full of one-byte messages, each with an object and a buffer of its own, would
 * otherwise take some hundred times the window.
 */
export class ChunkQueue {
  readonly #chunks: Uint8Array[] = [];
  /** The buffer under the last chunk, when that has room to grow. */
  #slab: Uint8Array | undefined;
  #byteLength = 0;

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Takes the chunk over: the caller must not change it afterwards. */
  push(chunk: Uint8Array): void {
    this.#byteLength += chunk.length;
    const last = this.#chunks.at(-1);
    if (last === undefined || chunk.length >= SMALL_BYTES || !this.#append(last, chunk)) {
      this.#chunks.push(chunk);
      this.#slab = undefined;
    }
  }

  shift(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (this.#chunks.length === 0) this.#slab = undefined;
    this.#byteLength -= chunk?.length ?? 0;
    return chunk;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#slab = undefined;
    this.#byteLength = 0;
  }

  #append(last: Uint8Array, chunk: Uint8Array): boolean {
    if (this.#slab === undefined) {
      if (last.length >= SMALL_BYTES) return false;
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#slab.set(last);
    }
    if (last.length + chunk.length > this.#slab.length) return false;
    this.#slab.set(chunk, last.length);
    this.#chunks[this.#chunks.length - 1] = this.#slab.subarray(0, last.length + chunk.length);
    return true;
  }
}
