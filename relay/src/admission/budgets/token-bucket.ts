/** A rate with room for bursts: `perSecond` go on for ever, `burst` at once. A rate of 0 is no limit. */
export interface Rate {
  perSecond: number;
  burst: number;
}

/** A rate that may be doubled for a second. */
export function rateOf(perSecond: number): Rate {
  return { perSecond, burst: 2 * perSecond };
}

/** A token bucket. */
export class TokenBucket {
  readonly #rate: Rate;
  #level: number;
  #filledAt = performance.now();

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#level = rate.burst;
  }

  /** Takes one, unless none is left. */
  tryTake(): boolean {
    if (this.#rate.perSecond === 0) return true;
    this.#fill();
    if (this.#level < 1) return false;
    this.#level--;
    return true;
  }

  /** Takes as many as asked for, and tells in how many milliseconds the bucket is no longer in debt. */
  take(count: number): number {
    if (this.#rate.perSecond === 0) return 0;
    // The clock is looked at only when it matters: this is called for each frame.
    if (this.#level < count) this.#fill();
    this.#level -= count;
    return this.#level >= 0 ? 0 : Math.ceil((-this.#level / this.#rate.perSecond) * 1000);
  }

  /** Whether it holds all that it can: it then says no more than a new one. */
  get isFull(): boolean {
    this.#fill();
    return this.#level >= this.#rate.burst;
  }

  #fill(): void {
    const now = performance.now();
    const { perSecond, burst } = this.#rate;
    this.#level = Math.min(burst, this.#level + ((now - this.#filledAt) / 1000) * perSecond);
    this.#filledAt = now;
  }
}

// Addresses that are remembered at once; beyond them, full buckets are dropped, then the oldest.
const MAX_BUCKETS = 10_000;

/** A bucket for each address. */
export class BucketsByAddress {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  of(key: string): TokenBucket {
    const found = this.#buckets.get(key);
    if (found) return found;
    if (this.#buckets.size >= MAX_BUCKETS) this.#makeRoom();
    const bucket = new TokenBucket(this.#rate);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Forgets a tenth, the full ones first: one call pays for a thousand that follow. */
  #makeRoom(): void {
    const goal = MAX_BUCKETS * 0.9;
    for (const [key, bucket] of this.#buckets) if (bucket.isFull) this.#buckets.delete(key);
    for (const key of this.#buckets.keys()) {
      if (this.#buckets.size <= goal) return;
      this.#buckets.delete(key);
    }
  }
}
