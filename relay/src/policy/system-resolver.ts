import { lookup } from 'node:dns/promises';
import { orAborted } from '../../../src/util/promises.js';
import { AddressCache, NEGATIVE_TIME_TO_LIVE_MS } from './address-cache.js';
import { FairSlots } from './fair-slots.js';
import {
  type LookupOptions,
  MAX_ADDRESSES,
  type NameResolver,
  someOf,
  specialAddresses,
} from './name-resolver.js';
import { TargetUnreachableError } from './target-error.js';

/** Node's threads for blocking calls. One stays free for files; no page has all of the others. */
const THREADS = Number(process.env.UV_THREADPOOL_SIZE) || 4;
const TOTAL = Math.max(1, THREADS - 1);
const SLOTS = {
  total: TOTAL,
  perAccount: Math.max(1, Math.floor(TOTAL / 2)),
  maxWaiting: 4096,
  maxWaitingPerAccount: 240,
};
/** `getaddrinfo` does not tell how long an answer holds. */
const TIME_TO_LIVE_MS = 5000;

/**
 * Looks names up as the system's other programs do (`getaddrinfo`): also by mDNS, LDAP, or the servers that a VPN set for some
 * domains. A lookup cannot be cancelled, so it holds its slot until it has ended, however long ago the page has gone.
 */
export class SystemResolver implements NameResolver {
  readonly #cache = new AddressCache();
  readonly #slots = new FairSlots(SLOTS);

  /** Lookups under way. */
  get running(): number {
    return this.#slots.running;
  }

  async resolve(name: string, { account, signal }: LookupOptions): Promise<readonly string[]> {
    const known = specialAddresses(name) ?? this.#cache.get(name);
    if (known) return someOf(known);
    const release = await this.#slots.acquire(account, signal);
    if (!release) throw new TargetUnreachableError('dns');
    return someOf(await orAborted(this.#find(name).finally(release), signal));
  }

  /** Another lookup of the name may have ended while this one waited. */
  async #find(name: string): Promise<readonly string[]> {
    return this.#cache.get(name) ?? (await this.#lookUp(name));
  }

  async #lookUp(name: string): Promise<string[]> {
    try {
      const found = await lookup(name, { all: true, order: 'verbatim' });
      const addresses = found.map(({ address }) => address).slice(0, 2 * MAX_ADDRESSES);
      this.#cache.set(name, addresses, TIME_TO_LIVE_MS);
      return addresses;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTFOUND') throw new TargetUnreachableError('dns', error);
      this.#cache.set(name, [], NEGATIVE_TIME_TO_LIVE_MS);
      return [];
    }
  }
}
