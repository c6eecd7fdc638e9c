const HEADER_BYTES = 5;

/** Follows the records of a TLS stream by their headers (RFC 8446 section 5.1). */
export class RecordBoundary {
  #header: number[] = [];
  #type = 0;
  #leftBytes = 0;
  /** Headers and records that have been complete so far. */
  steps = 0;

  /** Whether a record has begun and is not complete. */
  get isInside(): boolean {
    return this.#header.length > 0 || this.#leftBytes > 0;
  }

  /** `onContent` gets the content of the records, in the pieces in which it comes. */
  follow(ciphertext: Uint8Array, onContent?: (type: number, piece: Uint8Array) => void): void {
    for (let at = 0; at < ciphertext.length; ) {
      const piece = ciphertext.subarray(at, at + this.#leftBytes);
      if (piece.length > 0) onContent?.(this.#type, piece);
      this.#leftBytes -= piece.length;
      at += piece.length;
      if (piece.length > 0 && this.#leftBytes === 0) this.steps++;
      const header = ciphertext.subarray(at, at + HEADER_BYTES - this.#header.length);
      this.#header.push(...header);
      at += header.length;
      if (this.#header.length < HEADER_BYTES) return;
      const [type = 0, , , high = 0, low = 0] = this.#header.splice(0);
      this.steps++;
      this.#type = type;
      this.#leftBytes = high * 256 + low;
    }
  }
}
