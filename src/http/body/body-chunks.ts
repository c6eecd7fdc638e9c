import type { SpareMemory } from '../../tls/ciphers/spare-memory.js';
import { nextTask } from '../../util/turns.js';

/** What a message leaves to those behind it, and the most that is held back. */
const FIRST_HELD_BYTES = 32 * 1024;
const MAX_HELD_BYTES = 128 * 1024;
/** After such a pause nothing is held back. */
const PAUSE_MS = 4;

const nothing = new Uint8Array(0);

/**
 * Makes the chunks of a body that a page reads as a stream. Each has memory of its own, all of which it fills: pages take the `buffer` of
 * a chunk for its bytes (pdf.js does), as the Fetch standard lets them.
 *
 * New memory takes a browser longer than a copy. So a chunk fills the memory of the message that its data came in. That has room for a
 * little more, because tags and headers were in the message as well: so a little of each message is held back for the next one, as long as
 * they follow each other without a pause.
 */
export class BodyChunks {
  /** What is held back, in memory that is used again. */
  #held: Uint8Array<ArrayBuffer> = nothing;
  #heldBytes = 0;
  /** A chunk that has been filled, until it is taken. */
  #filled: Uint8Array<ArrayBuffer>[] = [];
  #pause: ReturnType<typeof setTimeout> | undefined;
  #onPause: () => void;

  /** `onPause`: nothing has followed what is held back, so that `rest` is to be called. */
  constructor(onPause: () => void) {
    this.#onPause = onPause;
  }

  /** Where to put the next `length` bytes, or the first of them; undefined: into new memory. `take` follows for each in the same call. */
  place(length: number, spare: SpareMemory): Uint8Array<ArrayBuffer> | undefined {
    return this.#chunk(length, spare) ?? this.#hold(length);
  }

  /** The chunks that bytes complete, which are where `place` said, or in memory of their own. */
  take(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
    const chunks = this.#filled.splice(0);
    if (bytes.buffer === chunks[0]?.buffer || bytes.buffer === this.#held.buffer) return chunks;
    return [...chunks, ...this.rest(), bytes];
  }

  /** What is held back, as a chunk. */
  rest(): Uint8Array<ArrayBuffer>[] {
    const bytes = this.#heldBytes;
    this.#heldBytes = 0;
    return bytes > 0 ? [this.#held.slice(0, bytes)] : [];
  }

  /**
   * The memory of the message, where there is enough to fill all of it. Otherwise new memory for all but a little, which will fill that of
   * the next messages. Undefined: when what is held back has filled it as well.
   */
  #chunk(length: number, spare: SpareMemory): Uint8Array<ArrayBuffer> | undefined {
    if (!spare.fits(length)) return undefined;
    const bytes = this.#heldBytes + length;
    const chunk = bytes >= spare.length ? spare.take() : new Uint8Array(bytes - FIRST_HELD_BYTES);
    const start = Math.min(this.#heldBytes, chunk.length);
    chunk.set(this.#held.subarray(0, start));
    this.#held.copyWithin(0, start, this.#heldBytes);
    this.#heldBytes -= start;
    this.#filled.push(chunk);
    return start < chunk.length ? chunk.subarray(start) : undefined;
  }

  /** What did not fit into a chunk. */
  #hold(length: number): Uint8Array<ArrayBuffer> | undefined {
    const end = this.#heldBytes + length;
    if (this.#filled.length === 0 || end > MAX_HELD_BYTES) return undefined;
    if (this.#held.length === 0) this.#held = new Uint8Array(MAX_HELD_BYTES);
    const place = this.#held.subarray(this.#heldBytes, end);
    this.#heldBytes = end;
    this.#watch();
    return place;
  }

  #watch(): void {
    // Timers of a hidden page come late.
    if (globalThis.document?.visibilityState === 'hidden') void nextTask().then(this.#onPause);
    clearTimeout(this.#pause);
    this.#pause = setTimeout(this.#onPause, PAUSE_MS);
  }
}
