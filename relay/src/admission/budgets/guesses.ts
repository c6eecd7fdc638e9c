/** Wrong tokens that cost nothing: a page may have an old one in several tabs. */
const FREE_GUESSES = 10;
const FIRST_REFUSAL_MS = 1000;
const MAX_REFUSAL_MS = 60_000;
/** Guesses are forgotten when none came for so long. */
const MEMORY_MS = 10 * 60_000;
const MAX_ADDRESSES = 10_000;

interface Guesses {
  count: number;
  lastAt: number;
  refusedUntil: number;
}

/**
 * Slows down who tries tokens: after ten wrong ones an address is refused for a second, and for twice the time after each
 * further one, up to a minute.
 */
export class GuessThrottle {
  readonly #guesses = new Map<string, Guesses>();

  /** Whether an address is refused, whatever its token is: an answer would be a guess more. */
  isRefused(key: string, now = Date.now()): boolean {
    return (this.#guesses.get(key)?.refusedUntil ?? 0) > now;
  }

  noteWrong(key: string, now = Date.now()): void {
    const before = this.#guesses.get(key);
    const count = before && now - before.lastAt < MEMORY_MS ? before.count + 1 : 1;
    const beyond = count - FREE_GUESSES;
    const refusalMs = beyond < 0 ? 0 : Math.min(MAX_REFUSAL_MS, FIRST_REFUSAL_MS * 2 ** beyond);
    // The newest is at the end, so that the oldest is the first to be forgotten.
    this.#guesses.delete(key);
    this.#guesses.set(key, { count, lastAt: now, refusedUntil: now + refusalMs });
    const [oldest] = this.#guesses.keys();
    if (this.#guesses.size > MAX_ADDRESSES && oldest !== undefined) this.#guesses.delete(oldest);
  }
}
