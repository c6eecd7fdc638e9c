// The encoding of everything structured that crosses the ABI; its twin is wasm/engine/src/wire.rs.

import { concatenated } from '../util/bytes.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Little-endian integers and length-prefixed bytes, written in order. */
export class WireWriter {
  #parts: Uint8Array[] = [];

  #integer(value: number, size: 1 | 2 | 4): this {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = (value >>> (8 * i)) & 0xff;
    this.#parts.push(bytes);
    return this;
  }

  u8(value: number): this {
    return this.#integer(value, 1);
  }

  u16(value: number): this {
    return this.#integer(value, 2);
  }

  u32(value: number): this {
    return this.#integer(value, 4);
  }

  bytes(value: Uint8Array): this {
    this.u32(value.length);
    this.#parts.push(value);
    return this;
  }

  str(value: string): this {
    return this.bytes(encoder.encode(value));
  }

  list(items: readonly Uint8Array[]): this {
    this.u32(items.length);
    for (const item of items) this.bytes(item);
    return this;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return concatenated(this.#parts);
  }
}

/** Reads what a `WireWriter` of either side wrote. A reading beyond the end is a RangeError: both sides are ours. */
export class WireReader {
  #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #advance(size: number): number {
    const at = this.#offset;
    this.#offset += size;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A copy. */
  bytes(): Uint8Array<ArrayBuffer> {
    const length = this.u32();
    const start = this.#view.byteOffset + this.#advance(length);
    return new Uint8Array(this.#view.buffer, start, length).slice();
  }

  str(): string {
    return decoder.decode(this.bytes());
  }

  list(): Uint8Array<ArrayBuffer>[] {
    return Array.from({ length: this.u32() }, () => this.bytes());
  }
}
