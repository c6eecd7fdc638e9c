// The encoding of everything structured that crosses the ABI; its twin is wasm/engine/src/wire.rs.

import { fromLatin1, writeLatin1 } from '../util/encoding.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Room for the head of a usual request. */
const FIRST_BYTES = 512;

/** Little-endian integers and length-prefixed bytes, written in order. */
export class WireWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  u8(value: number): this {
    this.#bytes[this.#advance(1)] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#advance(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#advance(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.u32(value.length);
    const at = this.#advance(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  str(value: string): this {
    return this.bytes(encoder.encode(value));
  }

  /** Each character as the byte of its number. */
  latin1(value: string): this {
    const at = this.#advance(4 + value.length);
    this.#view.setUint32(at, value.length, true);
    writeLatin1(value, this.#bytes.subarray(at + 4, this.#length));
    return this;
  }

  list(items: readonly Uint8Array[]): this {
    this.u32(items.length);
    for (const item of items) this.bytes(item);
    return this;
  }

  /** The only copy of what was written: whoever wipes it leaves nothing behind. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Where so many bytes go; it may replace the memory. */
  #advance(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) this.#grow();
    return at;
  }

  #grow(): void {
    const outgrown = this.#bytes;
    this.#bytes = new Uint8Array(2 * this.#length);
    this.#bytes.set(outgrown);
    this.#view = new DataView(this.#bytes.buffer);
    outgrown.fill(0);
  }
}

/** Reads what a `WireWriter` of either side wrote. A reading beyond the end is a RangeError: both sides are ours. */
export class WireReader {
  #view: DataView<ArrayBuffer>;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#offset++);
  }

  u16(): number {
    this.#offset += 2;
    return this.#view.getUint16(this.#offset - 2, true);
  }

  u32(): number {
    this.#offset += 4;
    return this.#view.getUint32(this.#offset - 4, true);
  }

  #piece(): Uint8Array<ArrayBuffer> {
    const length = this.u32();
    this.#offset += length;
    const start = this.#view.byteOffset + this.#offset - length;
    return new Uint8Array(this.#view.buffer, start, length);
  }

  /** A copy. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#piece().slice();
  }

  str(): string {
    return decoder.decode(this.bytes());
  }

  /** The text whose characters have the bytes as their numbers. */
  latin1(): string {
    return fromLatin1(this.#piece());
  }

  /** As many texts: all are decoded at once. */
  latin1Texts(count: number): string[] {
    const { buffer, byteOffset, byteLength } = this.#view;
    const start = this.#offset;
    const whole = fromLatin1(new Uint8Array(buffer, byteOffset + start, byteLength - start));
    const texts: string[] = [];
    for (let left = count; left > 0; left--) {
      const end = this.u32() + this.#offset;
      texts.push(whole.slice(this.#offset - start, end - start));
      this.#offset = end;
    }
    return texts;
  }

  list(): Uint8Array<ArrayBuffer>[] {
    return Array.from({ length: this.u32() }, () => this.bytes());
  }
}
