import { MtlsError } from '../../errors.js';
import type { Certificate, IdentityControls } from '../../identity/types.js';
import { MAX_TIMER_MS } from '../../util/options.js';
import { SharedTask } from '../../util/promises.js';
import { unavailable } from '../errors.js';
import type { UserVerification } from './user-verification.js';
import { unwrapKeys, type WrappedKey } from './wrapped-key.js';

/** An identity at rest whose key is wrapped. */
interface WrappedIdentity {
  id: string;
  chain: readonly Certificate[];
  wrapped: WrappedKey;
  controls: IdentityControls;
}

interface Unlocked {
  keys: CryptoKey[];
  until: number;
  idleTimeoutMs: number | undefined;
  lastUsedAt: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

interface VaultOptions {
  verification: UserVerification;
  unlockedForMs: number;
  /** Told when a key was unwrapped or forgotten. */
  onChange: (change: { type: 'locked' | 'unlocked'; id: string }) => void;
}

/** The keys that a person's confirmation has unwrapped: in the memory of this tab, for a while. */
export class Vault {
  #options: VaultOptions;
  #unlocked = new Map<string, Unlocked>();
  #asking = new Map<string, SharedTask<CryptoKey[]>>();
  #closed = false;

  constructor(options: VaultOptions) {
    this.#options = options;
  }

  isUnlocked(id: string): boolean {
    return this.#current(id) !== undefined;
  }

  /** The keys of an identity; asks the person when they are not there, once for all who wait. */
  async keysOf(record: WrappedIdentity, signal?: AbortSignal): Promise<CryptoKey[]> {
    signal?.throwIfAborted();
    const { id } = record;
    const entry = this.#current(id);
    if (entry) return entry.keys;
    const asking = this.#asking.get(id);
    if (asking && !asking.abandoned) return asking.join(signal);
    const work = new SharedTask(shared => this.#unlock(record, shared));
    this.#asking.set(id, work);
    const over = () => {
      if (this.#asking.get(id) === work) this.#asking.delete(id);
    };
    work.result.then(over, over);
    return work.join(signal);
  }

  /** Puts the idle clock back. */
  touch(id: string): void {
    const entry = this.#current(id);
    if (!entry) return;
    entry.lastUsedAt = Date.now();
    this.#schedule(id, entry);
  }

  forget(id: string): void {
    const entry = this.#unlocked.get(id);
    if (!entry) return;
    clearTimeout(entry.timer);
    this.#unlocked.delete(id);
    this.#options.onChange({ type: 'locked', id });
  }

  forgetAll(): void {
    for (const id of [...this.#unlocked.keys()]) this.forget(id);
  }

  /** What is being asked for comes to nothing. */
  close(): void {
    this.#closed = true;
    this.forgetAll();
  }

  /** Timers sleep in hidden tabs: the clock is looked at as well. */
  #current(id: string): Unlocked | undefined {
    const entry = this.#unlocked.get(id);
    if (!entry) return undefined;
    if (Date.now() < endOf(entry)) return entry;
    this.forget(id);
    return undefined;
  }

  async #unlock(record: WrappedIdentity, signal: AbortSignal): Promise<CryptoKey[]> {
    const { id, wrapped, controls, chain } = record;
    const { verification, unlockedForMs, onChange } = this.#options;
    if (wrapped.method !== verification.method) {
      const message = `This identity is unlocked by ${wrapped.method}: give that as the store's verification.`;
      throw new MtlsError('ERR_VERIFICATION_UNAVAILABLE', message);
    }
    const subject = { id, label: controls.label ?? chain[0]?.subject ?? '' };
    const keyAlgorithm = chain[0]?.keyAlgorithm ?? '';
    for (let attempt = 1; attempt <= verification.maxAttempts; attempt++) {
      const wrappingKey = await verification.verify(subject, wrapped.parameters, { attempt, signal });
      signal.throwIfAborted();
      const keys = await unwrapKeys(wrapped, { wrappingKey, keyAlgorithm });
      if (this.#closed) throw unavailable('The keychain is closed.');
      if (!keys) continue;
      const now = Date.now();
      const { idleTimeoutMs } = controls;
      const entry = { keys, until: now + unlockedForMs, idleTimeoutMs, lastUsedAt: now, timer: undefined };
      this.#unlocked.set(id, entry);
      this.#schedule(id, entry);
      onChange({ type: 'unlocked', id });
      return keys;
    }
    throw new MtlsError('ERR_VERIFICATION_FAILED', 'The answers did not unlock the key.');
  }

  #schedule(id: string, entry: Unlocked): void {
    clearTimeout(entry.timer);
    const delayMs = Math.min(Math.max(endOf(entry) - Date.now(), 0), MAX_TIMER_MS);
    entry.timer = setTimeout(() => this.#current(id) && this.#schedule(id, entry), delayMs);
    if (typeof entry.timer === 'object') (entry.timer as { unref?(): void }).unref?.();
  }
}

function endOf({ until, idleTimeoutMs, lastUsedAt }: Unlocked): number {
  return Math.min(until, idleTimeoutMs === undefined ? Number.POSITIVE_INFINITY : lastUsedAt + idleTimeoutMs);
}
