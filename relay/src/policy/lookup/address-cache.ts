/** How long it is kept that a name has no address. */
export const NEGATIVE_TIME_TO_LIVE_MS = 2000;

const MAX_ENTRIES = 1000;

interface Entry {
  addresses: readonly string[];
  expiresAtMs: number;
}

/** The addresses of names for as long as their answers hold; the oldest answers make room. */
export class AddressCache {
  readonly #entries = new Map<string, Entry>();

  get(name: string): readonly string[] | undefined {
    const entry = this.#entries.get(name);
    return entry && performance.now() < entry.expiresAtMs ? entry.addresses : undefined;
  }

  /** No addresses are an answer too: the name does not exist. */
  set(name: string, addresses: readonly string[], timeToLiveMs: number): void {
    this.#entries.delete(name);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size >= MAX_ENTRIES && !oldest.done) this.#entries.delete(oldest.value);
    this.#entries.set(name, { addresses, expiresAtMs: performance.now() + timeToLiveMs });
  }
}
