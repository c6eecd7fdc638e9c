import { keyAccessOf } from '../identity/key-access.js';
import type { StoredIdentity } from '../identity/types.js';
import type { HostPort } from '../util/host-port.js';

interface Entry {
  identity: StoredIdentity;
  lastUsedAt: number;
  notedAt: number;
  stop: () => void;
}

/** A busy connection notes its use no more often. */
const NOTE_INTERVAL_MS = 1_000;

/**
 * Which stored identities may go on being used by the connections that were made with them. The store is not asked again for
 * each request: the end of an identity is heard, and the clock is looked at.
 */
export class IdentityUsage {
  #entries = new Map<string, Entry>();
  #closed = false;

  /** The store has just given the identity's keys. */
  enter(identity: StoredIdentity, target: HostPort): void {
    const access = keyAccessOf(identity);
    // A person may confirm a use for a client that has been closed meanwhile.
    if (!access || this.#closed) return;
    const { id } = identity;
    this.#leave(id);
    const stop = access.onEnd(() => this.#leave(id));
    this.#entries.set(id, { identity, lastUsedAt: 0, notedAt: 0, stop });
    this.note(id, target);
  }

  /** The identity as its store has it now. */
  renew(identity: StoredIdentity): void {
    const entry = this.#entries.get(identity.id);
    if (entry) entry.identity = identity;
  }

  /** Whether the identity may be used as it is now. */
  holds(id: string): boolean {
    const entry = this.#entries.get(id);
    if (!entry) return false;
    const { expiresAt, idleTimeoutMs } = entry.identity.controls;
    const now = Date.now();
    const expired = expiresAt !== undefined && now >= expiresAt.getTime();
    const idle = idleTimeoutMs !== undefined && now - entry.lastUsedAt >= idleTimeoutMs;
    return !expired && !idle && keyAccessOf(entry.identity)?.ready() === true;
  }

  /** A use: a handshake or a request. */
  note(id: string, target: HostPort): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const now = Date.now();
    entry.lastUsedAt = now;
    if (now - entry.notedAt < NOTE_INTERVAL_MS) return;
    entry.notedAt = now;
    // A note for people and for the idle clock of other tabs: that it could not be made does not concern the connection.
    keyAccessOf(entry.identity)
      ?.markUsed(target)
      .catch(() => {});
  }

  /** Hears of no change any more; nothing is admitted. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#entries.keys()]) this.#leave(id);
  }

  #leave(id: string): void {
    this.#entries.get(id)?.stop();
    this.#entries.delete(id);
  }
}
