import { Emission } from '../../engine/abi.js';
import type { Place } from '../../engine/instance.js';
import { WireReader } from '../../engine/wire.js';

/** From this much on, new memory costs more than the copy into it. */
const LEAST_BYTES = 32 * 1024;

/**
 * The memory of a chunk of ciphertext, for the data that comes of it: a browser takes longer to provide new memory than to copy into it.
 * Only records that have been opened are written over, because those behind them may be opened again with new keys.
 */
export class SpareMemory {
  /** Somebody has it now: it must not be freed. */
  used = false;
  readonly #buffer: ArrayBufferLike;

  constructor({ buffer }: Uint8Array) {
    this.#buffer = buffer;
  }

  /** Places for what the call emits that opens these records. */
  placeOver(records: readonly Uint8Array[]): Place {
    let room: Uint8Array<ArrayBuffer> | undefined;
    return (kind, length, [first]) => {
      if (kind === Emission.recordsOpened && first) room = this.#over(records, new WireReader(first).u32());
      const place = room?.subarray(0, length);
      // HTTP may get its bytes in two pieces.
      const fits =
        kind === Emission.httpBytes || (kind === Emission.recordContent && place?.length === length);
      if (this.used || !place || !fits || !this.#isWorthIt(place)) return undefined;
      this.used = true;
      return place;
    };
  }

  /** The first `count` records that are in this memory; one that began in another chunk is not. */
  #over(records: readonly Uint8Array[], count: number): Uint8Array<ArrayBuffer> | undefined {
    const inside = records.slice(0, count).filter(({ buffer }) => buffer === this.#buffer);
    const [first, last] = [inside[0], inside.at(-1)];
    if (!first || !last) return undefined;
    const length = last.byteOffset + last.length - first.byteOffset;
    return new Uint8Array(this.#buffer as ArrayBuffer, first.byteOffset, length);
  }

  /** Whoever holds a small piece must not hold a large memory. */
  #isWorthIt({ length }: Uint8Array): boolean {
    return length >= LEAST_BYTES && 2 * length >= this.#buffer.byteLength;
  }
}
