import { orAborted } from '../../util/promises.js';

/** The time for an answer that needs nobody to be asked. */
const ANSWER_MS = 1_000;

/** Where a host is, as far as its name tells: another name than these may lead anywhere. */
export type Place = 'loopback' | 'local' | 'public' | 'anywhere';

/** The permissions that Chromium knows for a place, of this version and of earlier ones. */
const permissions = {
  loopback: ['loopback-network', 'local-network-access'],
  local: ['local-network', 'local-network-access'],
  public: [],
  anywhere: ['loopback-network', 'local-network', 'local-network-access'],
} as const satisfies Record<Place, readonly string[]>;

const loopbackIpv4 = /^(127|0)\./;
const localIpv4 =
  /^(10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])|198\.1[89])\./;

/** Takes a hostname as URLs have it. */
export function placeOf(hostname: string): Place {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (/^(.*\.)?localhost$/.test(host)) return 'loopback';
  // By mDNS, and where a home or a company names its own hosts.
  if (/\.(local|internal|home\.arpa)$/.test(host)) return 'local';
  if (host.includes(':')) return placeOfIpv6(host);
  if (!/^\d+(\.\d+){3}$/.test(host)) return 'anywhere';
  if (loopbackIpv4.test(host)) return 'loopback';
  return localIpv4.test(host) ? 'local' : 'public';
}

function placeOfIpv6(host: string): Place {
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(host) ?? [];
  if (high !== undefined && low !== undefined) {
    const words = [high, low].map(word => Number.parseInt(word, 16));
    return placeOf(words.flatMap(word => [word >> 8, word & 255]).join('.'));
  }
  if (host === '::1' || host === '::') return 'loopback';
  return /^f[cd][0-9a-f]{2}:|^fe[89ab][0-9a-f]:/.test(host) ? 'local' : 'public';
}

/**
 * What the person has said to the page's connections to such a place (Local Network Access, Chromium): `denied`, `prompt` when
 * nothing was said, or undefined where all is well or nothing is known.
 */
export async function localNetworkRefusal(place: Place): Promise<'denied' | 'prompt' | undefined> {
  const states = new Set(await Promise.all(permissions[place].map(stateOf)));
  if (states.has('denied')) return 'denied';
  return states.has('prompt') ? 'prompt' : undefined;
}

/** Undefined where the browser does not know the permission, or does not answer. */
async function stateOf(name: string): Promise<PermissionState | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asking = globalThis.navigator?.permissions?.query({ name: name as PermissionName });
    return asking && (await orAborted(asking, signal)).state;
  } catch {
    return undefined;
  }
}
