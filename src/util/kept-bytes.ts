/** Memory that is used again and again within single turns: to fill fresh memory takes longer than to copy. */
export class KeptBytes {
  #maxBytes: number;
  #bytes = new Uint8Array(0);

  /** `maxBytes`: no more is kept. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** So many bytes, with anything in them: good until the next call. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.#maxBytes) return new Uint8Array(length);
    if (length > this.#bytes.length) this.#bytes = new Uint8Array(Math.min(2 * length, this.#maxBytes));
    return this.#bytes.subarray(0, length);
  }
}
