import { Resolver } from 'node:dns/promises';
import { join } from 'node:path';
import { TargetUnreachableError } from '../target-error.js';
import { NEGATIVE_TIME_TO_LIVE_MS } from './address-cache.js';
import { type Answer, type LookupOptions, MAX_ADDRESSES, NameResolver } from './name-resolver.js';
import { parseHosts, parseResolvConf, SystemFile, searchedNames } from './system-files.js';

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

/**
 * Looks names up in the hosts file, and then asks DNS servers itself: unlike `getaddrinfo`, of which four run at once and none
 * can be cancelled, a query ends when nobody waits for it.
 */
export class DnsResolver extends NameResolver {
  readonly #servers: readonly string[];
  readonly #hosts: SystemFile<Map<string, string[]>>;
  readonly #searchRules: SystemFile<ReturnType<typeof parseResolvConf>>;

  constructor({ servers, hostsPath, resolvConfPath }: DnsResolverOptions) {
    super(SLOTS);
    this.#servers = servers;
    this.#hosts = new SystemFile(hostsPath ?? HOSTS_PATH, parseHosts);
    this.#searchRules = new SystemFile(resolvConfPath ?? '/etc/resolv.conf', parseResolvConf);
  }

  protected override async listed(name: string): Promise<readonly string[] | undefined> {
    return (await this.#hosts.read()).get(name);
  }

  protected override async candidates(name: string, { search }: LookupOptions): Promise<readonly string[]> {
    return search ? searchedNames(name, await this.#searchRules.read()) : [name];
  }

  protected override async lookUp(name: string, signal: AbortSignal): Promise<Answer> {
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
