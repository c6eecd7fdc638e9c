const HEADER_BYTES = 5;

/** Follows the records of a TLS stream by their headers (RFC 8446 section 5.1). */
export class RecordBoundary {
  /** Of the header that has begun. */
  #headerBytes = 0;
  #type = 0;
  #length = 0;
  #leftBytes = 0;
  /** Headers and records that have been complete so far. */
  steps = 0;

  /** Whether a record has begun and is not complete. */
  get isInside(): boolean {
    return this.#headerBytes > 0 || this.#leftBytes > 0;
  }

  /** `onContent` gets the content of the records, in the pieces in which it comes. */
  follow(ciphertext: Uint8Array, onContent?: (type: number, piece: Uint8Array) => void): void {
    for (let at = 0; at < ciphertext.length; ) {
      if (this.#leftBytes === 0) this.#followHeader(ciphertext[at++] as number);
      else {
        const piece = ciphertext.subarray(at, at + this.#leftBytes);
        onContent?.(this.#type, piece);
        at += piece.length;
        this.#leftBytes -= piece.length;
        if (this.#leftBytes === 0) this.steps++;
      }
    }
  }

  #followHeader(byte: number): void {
    if (this.#headerBytes === 0) this.#type = byte;
    // Of the last two bytes, in the end.
    this.#length = (256 * this.#length + byte) & 0xffff;
    if (++this.#headerBytes < HEADER_BYTES) return;
    this.#headerBytes = 0;
    this.#leftBytes = this.#length;
    this.steps++;
  }
}
