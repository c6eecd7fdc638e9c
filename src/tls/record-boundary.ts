const HEADER_BYTES = 5;

/** Follows the records of a TLS stream by their headers (RFC 8446 section 5.1). */
export class RecordBoundary {
  #header: number[] = [];
  #leftBytes = 0;

  /** Whether a record has begun and is not complete. */
  get isInside(): boolean {
    return this.#header.length > 0 || this.#leftBytes > 0;
  }

  follow(ciphertext: Uint8Array): void {
    for (let at = 0; at < ciphertext.length; ) {
      const skipped = Math.min(this.#leftBytes, ciphertext.length - at);
      this.#leftBytes -= skipped;
      at += skipped;
      const header = ciphertext.subarray(at, at + HEADER_BYTES - this.#header.length);
      this.#header.push(...header);
      at += header.length;
      if (this.#header.length < HEADER_BYTES) return;
      const [, , , high = 0, low = 0] = this.#header.splice(0);
      this.#leftBytes = high * 256 + low;
    }
  }
}
