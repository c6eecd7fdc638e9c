import { openChannel } from './channel.js';

/** What happened to an identity in the store, in this tab or another one. */
export interface IdentityChange {
  type: 'added' | 'updated' | 'deleted' | 'locked' | 'unlocked';
  id: string;
}

export type ChangeListener = (change: IdentityChange) => void;

/** Tells this tab and the others of this origin what changes in a store. */
export class Changes {
  /** How many there have been since the store was opened. */
  count = 0;
  #listeners = new Set<ChangeListener>();
  #channel: BroadcastChannel | undefined;

  constructor(storeName: string) {
    const onMessage = ({ data }: MessageEvent<IdentityChange>) => this.#deliver(data);
    this.#channel = openChannel(`browser-mtls:${storeName}`, onMessage);
  }

  listen(listener: ChangeListener): () => void {
    // One of its own for each call, so that the same function may listen twice.
    const own: ChangeListener = change => listener(change);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** `here`: only in this tab, as locking of what only this tab had unlocked. */
  tell(change: IdentityChange, scope: 'everywhere' | 'here' = 'everywhere'): void {
    this.#deliver(change);
    if (scope === 'everywhere') this.#channel?.postMessage(change);
  }

  close(): void {
    this.#listeners.clear();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #deliver(change: IdentityChange): void {
    this.count++;
    for (const listener of [...this.#listeners]) {
      // What a listener throws is its own, and no failure of the change.
      try {
        listener({ ...change });
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
