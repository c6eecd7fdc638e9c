/** Bytes that arrive in pieces, put together in a buffer that doubles: small pieces cost no more than their bytes. */
export class ReceivedBytes {
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** All until now; valid until the next piece. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** The first piece is not copied. */
  push(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (this.#length === 0) {
      this.#buffer = piece;
    } else {
      if (length > this.#buffer.length) this.#grow(2 * length);
      piece.copy(this.#buffer, this.#length);
    }
    this.#length = length;
  }

  #grow(size: number): void {
    const buffer = Buffer.allocUnsafe(size);
    this.bytes.copy(buffer);
    this.#buffer = buffer;
  }
}
