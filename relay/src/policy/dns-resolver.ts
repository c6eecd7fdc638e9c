import { Resolver } from 'node:dns/promises';
import { join } from 'node:path';
import { AddressCache, NEGATIVE_TIME_TO_LIVE_MS } from './address-cache.js';
import { FairSlots } from './fair-slots.js';
import {
  type LookupOptions,
  MAX_ADDRESSES,
  type NameResolver,
  someOf,
  specialAddresses,
} from './name-resolver.js';
import { parseHosts, parseResolvConf, SystemFile, searchedNames } from './system-files.js';
import { TargetUnreachableError } from './target-error.js';

const SLOTS = { total: 256, perAccount: 16, maxWaiting: 4096, maxWaitingPerAccount: 240 };
/** For the first answer of a server; the second try gets twice as long. */
const QUERY_OPTIONS = { timeout: 2000, tries: 2 };
/** What the other family's answer may take longer than the first one's (RFC 8305 section 3). */
const SECOND_ANSWER_MS = 250;
const MAX_TIME_TO_LIVE_MS = 30_000;

const HOSTS_PATH =
  process.platform === 'win32'
    ? join(process.env.SystemRoot ?? 'C:\\Windows', 'System32/drivers/etc/hosts')
    : '/etc/hosts';

export interface DnsResolverOptions {
  /** `address` or `address:port`; empty for the system's servers. */
  servers: readonly string[];
  hostsPath?: string;
  resolvConfPath?: string;
}

interface Answer {
  addresses: string[];
  timeToLiveMs: number;
}

/**
 * Looks names up in the hosts file, and then asks DNS servers itself: unlike `getaddrinfo`, of which four run at once and none
 * can be cancelled, a query ends when nobody waits for it.
 */
export class DnsResolver implements NameResolver {
  readonly #servers: readonly string[];
  readonly #hosts: SystemFile<Map<string, string[]>>;
  readonly #searchRules: SystemFile<ReturnType<typeof parseResolvConf>>;
  readonly #cache = new AddressCache();
  readonly #slots = new FairSlots(SLOTS);

  constructor({ servers, hostsPath, resolvConfPath }: DnsResolverOptions) {
    this.#servers = servers;
    this.#hosts = new SystemFile(hostsPath ?? HOSTS_PATH, parseHosts);
    this.#searchRules = new SystemFile(resolvConfPath ?? '/etc/resolv.conf', parseResolvConf);
  }

  /** Lookups under way. */
  get running(): number {
    return this.#slots.running;
  }

  async resolve(name: string, options: LookupOptions): Promise<readonly string[]> {
    const known = specialAddresses(name) ?? (await this.#hosts.read()).get(name);
    if (known) return someOf(known);
    const names = options.search ? searchedNames(name, await this.#searchRules.read()) : [name];
    for (const each of names) {
      const addresses = await this.#find(each, options);
      if (addresses.length > 0) return addresses;
    }
    throw new TargetUnreachableError('dns');
  }

  async #find(name: string, { account, signal }: LookupOptions): Promise<readonly string[]> {
    const kept = this.#cache.get(name);
    if (kept) return kept;
    const release = await this.#slots.acquire(account, signal);
    if (!release) throw new TargetUnreachableError('dns');
    try {
      // Another lookup of the name may have ended while this one waited.
      return this.#cache.get(name) ?? (await this.#query(name, signal));
    } finally {
      release();
    }
  }

  async #query(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const { addresses, timeToLiveMs } = await this.#ask(name, signal);
    if (timeToLiveMs > 0) this.#cache.set(name, addresses, timeToLiveMs);
    return addresses;
  }

  async #ask(name: string, signal: AbortSignal): Promise<Answer> {
    const resolver = new Resolver(QUERY_OPTIONS);
    if (this.#servers.length > 0) resolver.setServers(this.#servers);
    const cancel = () => resolver.cancel();
    let timer: NodeJS.Timeout | undefined;
    signal.addEventListener('abort', cancel, { once: true });
    const answerOf = async (type: 'A' | 'AAAA'): Promise<Answer> => {
      const answer = await addressesOf(resolver, name, type);
      if (answer.addresses.length > 0) timer ??= setTimeout(cancel, SECOND_ANSWER_MS);
      return answer;
    };
    try {
      const answers = await Promise.allSettled([answerOf('AAAA'), answerOf('A')]);
      signal.throwIfAborted();
      return combined(answers);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
    }
  }
}

async function addressesOf(resolver: Resolver, name: string, type: 'A' | 'AAAA'): Promise<Answer> {
  try {
    const records = await (type === 'A'
      ? resolver.resolve4(name, { ttl: true })
      : resolver.resolve6(name, { ttl: true }));
    const used = records.slice(0, MAX_ADDRESSES);
    const timeToLiveMs = Math.min(MAX_TIME_TO_LIVE_MS, ...used.map(({ ttl }) => ttl * 1000));
    return { addresses: used.map(({ address }) => address), timeToLiveMs };
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTFOUND' && code !== 'ENODATA') throw error;
    return { addresses: [], timeToLiveMs: NEGATIVE_TIME_TO_LIVE_MS };
  }
}

/** One family's addresses do; that there are none must be said of both. */
function combined(settled: PromiseSettledResult<Answer>[]): Answer {
  const answers = settled.filter(each => each.status === 'fulfilled').map(({ value }) => value);
  const addresses = answers.flatMap(answer => answer.addresses);
  const failure = settled.find(each => each.status === 'rejected');
  if (addresses.length === 0 && failure) throw new TargetUnreachableError('dns', failure.reason);
  const positive = addresses.length > 0 ? answers.filter(answer => answer.addresses.length > 0) : answers;
  return { addresses, timeToLiveMs: Math.min(...positive.map(answer => answer.timeToLiveMs)) };
}
