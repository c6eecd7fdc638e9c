import { lookup } from 'node:dns/promises';
import { TargetUnreachableError } from '../target-error.js';
import { NEGATIVE_TIME_TO_LIVE_MS } from './address-cache.js';
import { type Answer, MAX_ADDRESSES, NameResolver } from './name-resolver.js';

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
 * domains. A lookup cannot be cancelled.
 */
export class SystemResolver extends NameResolver {
  constructor() {
    super(SLOTS);
  }

  protected override async lookUp(name: string): Promise<Answer> {
    try {
      const found = await lookup(name, { all: true, order: 'verbatim' });
      const addresses = found.map(({ address }) => address).slice(0, 2 * MAX_ADDRESSES);
      return { addresses, timeToLiveMs: TIME_TO_LIVE_MS };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTFOUND') throw new TargetUnreachableError('dns', error);
      return { addresses: [], timeToLiveMs: NEGATIVE_TIME_TO_LIVE_MS };
    }
  }
}
