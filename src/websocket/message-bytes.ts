import { concatenated } from '../util/bytes.js';

/** Memory is taken for so much of an announced frame at a time: a server that only announces gets no more of it. */
const BLOCK_BYTES = 1 << 20;

const nothing = new Uint8Array(0);

/** The payload of a message, as it comes. A frame of up to 1 MiB that is the whole message is copied once, to where the page gets it. */
export class MessageBytes {
  #full: Uint8Array<ArrayBuffer>[] = [];
  #block: Uint8Array<ArrayBuffer> = nothing;
  #blockEnd = 0;
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** `leftBytes` of the frame are still to come, the piece included; `final`: it ends the message. */
  push(piece: Uint8Array, { leftBytes, final }: { leftBytes: number; final: boolean }): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#blockEnd === this.#block.length) this.#beginBlock(leftBytes - at, final);
      const part = piece.subarray(at, at + this.#block.length - this.#blockEnd);
      this.#block.set(part, this.#blockEnd);
      this.#blockEnd += part.length;
      this.#length += part.length;
      at += part.length;
    }
  }

  take(): Uint8Array<ArrayBuffer> {
    const last = this.#block.subarray(0, this.#blockEnd);
    const isWhole = this.#full.length === 0 && last.length === this.#block.length;
    const whole = isWhole ? this.#block : concatenated([...this.#full, last]);
    this.#full = [];
    this.#block = nothing;
    this.#blockEnd = 0;
    this.#length = 0;
    return whole;
  }

  /** Where more frames follow, at least as much as there is: small ones must not cost a block each. */
  #beginBlock(leftBytes: number, final: boolean): void {
    if (this.#blockEnd > 0) this.#full.push(this.#block);
    const bytes = final ? leftBytes : Math.max(leftBytes, this.#length);
    this.#block = new Uint8Array(Math.min(bytes, BLOCK_BYTES));
    this.#blockEnd = 0;
  }
}
