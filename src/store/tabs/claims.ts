import type { IdentityChange } from './identity-change.js';

/** Changes do not come faster than the store is read: beyond this, somebody makes them up. */
const MAX_WAITING = 1_000;

interface ClaimsOptions {
  /** Those of the identities in the store. */
  readIds(): Promise<Iterable<string>>;
  /** Told what is so, in the order in which it came. */
  onChange(change: IdentityChange): void;
}

/**
 * Changes that other tabs claim. They are a reason to look: that an identity was added or deleted is told as the store shows it, and
 * anything else only of an identity that is there.
 */
export class Claims {
  /** Resolves once the identities of the store are known. */
  readonly ready: Promise<void>;
  #options: ClaimsOptions;
  /** Ids of the identities that there are, as far as this tab knows. */
  #known = new Set<string>();
  #isStale = false;
  #looking = false;
  /** What came while the store was looked at. */
  #waiting: IdentityChange[] = [];

  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.ready = options.readIds().then(
      ids => {
        for (const id of ids) this.#known.add(id);
      },
      // Whoever opened the store learns of it by the next call.
      () => {},
    );
  }

  /** Takes a change of this tab. */
  note(change: IdentityChange): void {
    if (this.#looking) this.#waiting.push(change);
    else this.#pass(change);
  }

  /** Takes what another tab says. */
  hear(change: IdentityChange): void {
    const isPresence = change.type === 'added' || change.type === 'deleted';
    if (isPresence || !this.#known.has(change.id)) this.#isStale = true;
    if (!isPresence && this.#waiting.length < MAX_WAITING) this.#waiting.push(change);
    if (!this.#looking) void this.#settle();
  }

  async #settle(): Promise<void> {
    this.#looking = true;
    do {
      if (this.#isStale) await this.#look();
      for (const change of this.#waiting.splice(0)) this.#pass(change);
    } while (this.#isStale);
    this.#looking = false;
  }

  async #look(): Promise<void> {
    await this.ready;
    this.#isStale = false;
    let present: Set<string>;
    try {
      present = new Set(await this.#options.readIds());
    } catch {
      // The store is closed, or cannot be read: there is nothing to be told.
      return;
    }
    for (const id of [...this.#known]) if (!present.has(id)) this.#pass({ type: 'deleted', id });
    for (const id of present) this.#pass({ type: 'added', id });
  }

  #pass(change: IdentityChange): void {
    const { type, id } = change;
    // What a look has shown already, or nobody has.
    if (this.#known.has(id) === (type === 'added')) return;
    if (type === 'added') this.#known.add(id);
    if (type === 'deleted') this.#known.delete(id);
    this.#options.onChange(change);
  }
}
