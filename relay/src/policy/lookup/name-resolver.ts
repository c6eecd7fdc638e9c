import { orAborted } from '../../../../src/util/promises.js';
import { isLocalhost } from '../target.js';
import { LookupLimitError, TargetUnreachableError } from '../target-error.js';
import { AddressCache } from './address-cache.js';
import { FairSlots, type SlotLimits } from './fair-slots.js';

export interface LookupOptions {
  /** The name may be a short one, to be completed by the system's search list. */
  search: boolean;
  /** Whose share of the lookups at once it is. */
  account: string;
  signal: AbortSignal;
}

/** What a lookup found; no addresses are an answer too: the name does not exist. */
export interface Answer {
  addresses: string[];
  /** 0: it is not kept. */
  timeToLiveMs: number;
}

/** Addresses of a family that are looked at: whoever controls a name's DNS chooses how many there are. */
export const MAX_ADDRESSES = 16;

/** Made once: a flood of lookups must not make as many errors with stacks. */
const TOO_MANY = new LookupLimitError('too many lookups');

/** Top-level names that no server is asked about (RFC 6761 section 6.4, RFC 7686). */
const NEVER_FOUND = /(?:^|\.)(?:invalid|onion)$/;

/** Finds the addresses of names: special ones without a lookup, the others by a bounded number of lookups whose answers are kept. */
export abstract class NameResolver {
  readonly #cache = new AddressCache();
  readonly #slots: FairSlots;

  constructor(slots: SlotLimits) {
    this.#slots = new FairSlots(slots);
  }

  /** Lookups under way. */
  get running(): number {
    return this.#slots.running;
  }

  /**
   * Resolves with addresses, at least one; rejects with a {@link TargetUnreachableError} of reason `dns`, a
   * {@link LookupLimitError}, or the signal's reason.
   */
  async resolve(name: string, options: LookupOptions): Promise<readonly string[]> {
    const known = specialAddresses(name) ?? (await this.listed(name));
    if (known) return someOf(known);
    for (const each of await this.candidates(name, options)) {
      const addresses = await this.#find(each, options);
      if (addresses.length > 0) return addresses;
    }
    throw new TargetUnreachableError('dns');
  }

  /** Asks for one name. It holds its slot until it has ended, however long ago the page has gone. */
  protected abstract lookUp(name: string, signal: AbortSignal): Promise<Answer>;

  /** Addresses that are written down on this machine. */
  protected async listed(_name: string): Promise<readonly string[] | undefined> {
    return undefined;
  }

  /** The names that may be meant, to be looked up in turn. */
  protected async candidates(name: string, _options: LookupOptions): Promise<readonly string[]> {
    return [name];
  }

  async #find(name: string, { account, signal }: LookupOptions): Promise<readonly string[]> {
    const kept = this.#cache.get(name);
    if (kept) return kept;
    const release = await this.#slots.acquire(account, signal);
    if (!release) throw TOO_MANY;
    return orAborted(this.#lookUpOnce(name, signal).finally(release), signal);
  }

  /** Another lookup of the name may have ended while this one waited. */
  async #lookUpOnce(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const kept = this.#cache.get(name);
    if (kept) return kept;
    const { addresses, timeToLiveMs } = await this.lookUp(name, signal);
    if (timeToLiveMs > 0) this.#cache.set(name, addresses, timeToLiveMs);
    return addresses;
  }
}

/** The addresses of a name that has a meaning without any lookup; none if it exists nowhere. */
function specialAddresses(name: string): readonly string[] | undefined {
  if (isLocalhost(name)) return ['::1', '127.0.0.1'];
  return NEVER_FOUND.test(name) ? [] : undefined;
}

/** @throws TargetUnreachableError */
function someOf(addresses: readonly string[]): readonly string[] {
  if (addresses.length === 0) throw new TargetUnreachableError('dns');
  return addresses;
}
