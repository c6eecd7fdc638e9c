import { openChannel } from './channel.js';
import { Claims } from './claims.js';
import { type IdentityChange, readChange } from './identity-change.js';

/** Called at each change of a store, of this tab and of other tabs of the origin. */
export type ChangeListener = (change: IdentityChange) => void;

/** Tells this tab and the others of this origin what changes in a store. */
export class Changes {
  /** How many there have been since the store was opened, those that another tab only says among them. */
  count = 0;
  #observers = new Set<ChangeListener>();
  #guards = new Set<ChangeListener>();
  #claims: Claims;
  #channel: BroadcastChannel | undefined;

  /** `readIds`: those of the identities in the store. */
  constructor(storeName: string, readIds: () => Promise<Iterable<string>>) {
    this.#claims = new Claims({ readIds, onChange: change => deliver(this.#observers, change) });
    this.#channel = openChannel(`browser-mtls:${storeName}`, ({ data }) => this.#hear(data));
  }

  /** Resolves when every later change of another tab will be told. */
  get ready(): Promise<void> {
    return this.#claims.ready;
  }

  /** Listens to what has changed. Returns what ends that. */
  observe(listener: ChangeListener): () => void {
    return listen(this.#observers, listener);
  }

  /**
   * Listens to what may have changed: at once to what another tab says, which may not be so. For what does no harm then: to forget
   * keys, and to look into the store again. Returns what ends that.
   */
  guard(listener: ChangeListener): () => void {
    return listen(this.#guards, listener);
  }

  /** `here`: only in this tab, as locking of what only this tab had unlocked. */
  tell(change: IdentityChange, scope: 'everywhere' | 'here' = 'everywhere'): void {
    this.#alarm(change);
    this.#claims.note(change);
    if (scope === 'everywhere') this.#channel?.postMessage(change);
  }

  close(): void {
    this.#observers.clear();
    this.#guards.clear();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #hear(message: unknown): void {
    const change = readChange(message);
    if (!change) return;
    this.#alarm(change);
    this.#claims.hear(change);
  }

  #alarm(change: IdentityChange): void {
    this.count++;
    deliver(this.#guards, change);
  }
}

function listen(listeners: Set<ChangeListener>, listener: ChangeListener): () => void {
  // A function for each call, so that the same listener may listen twice.
  const own: ChangeListener = change => listener(change);
  listeners.add(own);
  return () => listeners.delete(own);
}

function deliver(listeners: Set<ChangeListener>, change: IdentityChange): void {
  for (const listener of [...listeners]) {
    // An error of the listener is no failure of the change.
    try {
      listener({ ...change });
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
