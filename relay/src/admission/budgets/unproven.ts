/** A connection from which no valid HELLO has been accepted. */
export interface Unproven {
  /** What it counts for; `undefined` for a trusted proxy's, whose page is not known yet. */
  key: string | undefined;
  expel(): void;
}

export interface UnprovenLimits {
  maxUnproven: number;
  maxUnprovenPerAddress: number;
  /** Told of each that had to go for a newer one. */
  onExpelled: (key: string | undefined) => void;
}

/**
 * The budget of those who have shown nothing yet: TCP connections, and WebSockets until a valid HELLO was accepted.
 *
 * The newest always gets in. When there is no room, the oldest of the address that has the most goes: a flood drops its own,
 * and whoever comes with a token has the time of a HELLO.
 */
export class UnprovenBudget {
  readonly #limits: UnprovenLimits;
  /** Each in the order of their coming; so are the addresses. */
  readonly #byKey = new Map<string | undefined, Set<Unproven>>();
  #size = 0;

  constructor(limits: UnprovenLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  enter(key: string | undefined, expel: () => void): Unproven {
    const entry = { key, expel };
    this.#makeRoom(key);
    this.#add(entry);
    return entry;
  }

  /** The address became known. */
  move(entry: Unproven, key: string): void {
    if (entry.key === key || !this.#remove(entry)) return;
    entry.key = key;
    this.#makeRoom(key);
    this.#add(entry);
  }

  leave(entry: Unproven): void {
    this.#remove(entry);
  }

  #makeRoom(key: string | undefined): void {
    const own = this.#byKey.get(key);
    if (key !== undefined && own && own.size >= this.#limits.maxUnprovenPerAddress) this.#expelOldest(own);
    else if (this.#size >= this.#limits.maxUnproven) this.#expelOldest(this.#largest());
  }

  #largest(): Set<Unproven> {
    let largest = new Set<Unproven>();
    for (const entries of this.#byKey.values()) if (entries.size > largest.size) largest = entries;
    return largest;
  }

  #expelOldest(entries: Set<Unproven>): void {
    const [oldest] = entries;
    if (!oldest) return;
    this.#limits.onExpelled(oldest.key);
    this.#expel(oldest);
  }

  #expel(entry: Unproven): void {
    this.#remove(entry);
    entry.expel();
  }

  #add(entry: Unproven): void {
    const entries = this.#byKey.get(entry.key);
    if (entries) entries.add(entry);
    else this.#byKey.set(entry.key, new Set([entry]));
    this.#size++;
  }

  #remove(entry: Unproven): boolean {
    const entries = this.#byKey.get(entry.key);
    if (!entries?.delete(entry)) return false;
    if (entries.size === 0) this.#byKey.delete(entry.key);
    this.#size--;
    return true;
  }
}
