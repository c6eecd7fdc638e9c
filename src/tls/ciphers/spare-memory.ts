/** From this much on, new memory costs more than the copy into it. */
const LEAST_BYTES = 64 * 1024;

/**
 * The memory of a chunk of ciphertext, for the data that comes of it: a browser takes longer to provide new memory than to copy into it.
 */
export class SpareMemory {
  /** The ciphertext is not needed any longer. Records behind new keys are opened again. */
  isFree = false;
  /** Data that does not become a body's may be put into a part of it. */
  isForParts: boolean | undefined;
  /** Somebody has it now: it must not be freed. */
  used = false;
  #bytes: Uint8Array<ArrayBuffer>;

  constructor({ buffer }: Uint8Array) {
    this.#bytes = new Uint8Array(buffer as ArrayBuffer);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Whether so much data may have it: whoever holds a small piece must not hold a large memory. */
  fits(length: number): boolean {
    return this.isFree && !this.used && length >= LEAST_BYTES && 2 * length >= this.length;
  }

  /** Gives all of it, once. */
  take(): Uint8Array<ArrayBuffer> {
    this.used = true;
    return this.#bytes;
  }

  /** A part, for data that is copied before a page gets it; undefined: it needs new memory. */
  takePart(length: number): Uint8Array<ArrayBuffer> | undefined {
    return this.fits(length) ? this.take().subarray(0, length) : undefined;
  }
}
