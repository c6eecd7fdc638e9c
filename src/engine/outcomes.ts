import { toBase64 } from '../util/encoding.js';

/** A client meets a few servers, each of which takes a handful. */
const MAX_OUTCOMES = 1_000;
/** SHA-256 of what was verified. */
const KEY_BYTES = 32;

/**
 * Remembers the outcomes of verifications outside of the engine's memory, so that a call that is rolled back and made again verifies
 * nothing twice.
 */
export class Outcomes {
  #outcomes = new Map<string, Uint8Array>();

  /** As wasm/engine/src/trust/signatures.rs asks: a key, or one with its outcome behind it to remember. */
  answer(question: Uint8Array): Uint8Array | undefined {
    const key = toBase64(question.subarray(0, KEY_BYTES));
    const outcome = question.slice(KEY_BYTES);
    if (outcome.length === 0) return this.#outcomes.get(key);
    const [oldest] = this.#outcomes.keys();
    if (this.#outcomes.size >= MAX_OUTCOMES && oldest !== undefined) this.#outcomes.delete(oldest);
    this.#outcomes.set(key, outcome);
    return new Uint8Array();
  }
}
