import type { BodyReader } from './body-reader.js';

/** As long as this, a chunk is a piece without a copy. */
const LONG_BYTES = 128 * 1024;
/** The first memory of joined chunks. It grows fourfold. */
const SMALLEST_BYTES = 4 * 1024;
/** A chunk that is there already comes within so many microtasks. */
const MICROTASKS = 12;

const later = Symbol('later');
const nothing = new Uint8Array(0);

/** Cuts a body's chunks into pieces, and joins short ones that are there already. */
export class BodyPieces {
  #reader: BodyReader;
  #mostBytes: number;
  /** What is left of the last chunk. */
  #rest: Uint8Array = nothing;
  /** The next chunk, which may take its time. */
  #reading: Promise<Uint8Array | undefined> | undefined;
  #joined: Uint8Array = nothing;

  constructor(reader: BodyReader, mostBytes: number) {
    this.#reader = reader;
    this.#mostBytes = mostBytes;
  }

  /** Good until the next call. Undefined: the end. */
  async next(): Promise<Uint8Array | undefined> {
    const first = await this.#take(this.#mostBytes);
    if (!first || first.length >= LONG_BYTES) return first;
    let length = 0;
    for (let chunk: Uint8Array | undefined = first; chunk; chunk = await this.#takeAtOnce(length)) {
      // Copied before the next one is read: who makes the chunks may use their memory again.
      this.#reserve(length + chunk.length);
      this.#joined.set(chunk, length);
      length += chunk.length;
    }
    return this.#joined.subarray(0, length);
  }

  cancel(reason: unknown): void {
    this.#reader.cancel(reason);
  }

  async #take(mostBytes: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const chunk = await this.#read();
      if (!chunk) return undefined;
      this.#keep(chunk);
    }
    return this.#cut(mostBytes);
  }

  /** The same chunk again, until it is kept. */
  #read(): Promise<Uint8Array | undefined> {
    this.#reading ??= this.#reader.next();
    return this.#reading;
  }

  #keep(chunk: Uint8Array): void {
    this.#reading = undefined;
    this.#rest = chunk;
  }

  #cut(mostBytes: number): Uint8Array {
    const taken = this.#rest.subarray(0, mostBytes);
    this.#rest = this.#rest.subarray(mostBytes);
    return taken;
  }

  /** What may follow in a piece of this length; undefined when nothing does. An end or a failure is told by the next piece. */
  async #takeAtOnce(length: number): Promise<Uint8Array | undefined> {
    const mostBytes = this.#mostBytes - length;
    if (mostBytes === 0) return undefined;
    while (this.#rest.length === 0) {
      const chunk = await soon(this.#read());
      if (chunk === later || !chunk) return undefined;
      this.#keep(chunk);
    }
    return this.#cut(mostBytes);
  }

  #reserve(bytes: number): void {
    if (this.#joined.length >= bytes) return;
    const wanted = Math.max(bytes, 4 * this.#joined.length, SMALLEST_BYTES);
    const joined = new Uint8Array(Math.min(wanted, this.#mostBytes));
    joined.set(this.#joined);
    this.#joined = joined;
  }
}

async function soon<T>(promise: Promise<T>): Promise<T | typeof later> {
  let result: T | typeof later = later;
  promise.then(
    value => {
      result = value;
    },
    () => {},
  );
  for (let count = 0; count < MICROTASKS && result === later; count++) await undefined;
  return result;
}
