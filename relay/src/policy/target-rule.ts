import { type Network, parseNetwork } from './addresses/ip-address.js';
import { normaliseName } from './target.js';

/** Where a page may connect to: one entry of the allow-list, parsed. */
export interface TargetRule {
  host: HostRule;
  firstPort: number;
  lastPort: number;
}

export type HostRule =
  | { type: 'any' }
  | { type: 'name'; name: string }
  /** The names below this one, at any depth. */
  | { type: 'wildcard'; suffix: string }
  | { type: 'network'; network: Network };

/**
 * Parses an entry of the allow-list: `host:port`. The host is a DNS name, `*.example.com` (every name below, at any depth),
 * `*` (everything), an address or a network in CIDR notation (those of IPv6 in brackets); the port a number, `8000-8099` or `*`.
 *
 * A `TypeError` for anything else.
 */
export function parseTargetRule(pattern: string): TargetRule {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(?:(\*)|(\d{1,5})(?:-(\d{1,5}))?)$/.exec(pattern);
  const [, ipv6, name, anyPort, first, last = first] = match ?? [];
  const [firstPort, lastPort] = anyPort ? [1, 65535] : [Number(first), Number(last)];
  const host = ipv6 === undefined ? parseHostRule(name ?? '') : networkRule(ipv6.includes(':') ? ipv6 : '');
  // The comparisons also fail for NaN.
  if (host && 1 <= firstPort && firstPort <= lastPort && lastPort <= 65535)
    return { host, firstPort, lastPort };
  throw new TypeError(
    `"allow" must be host:port, as in localhost:8443, *.example.com:443, 10.0.0.0/8:* or [fd00::/8]:8000-8099, not ${JSON.stringify(pattern)}`,
  );
}

function parseHostRule(text: string): HostRule | undefined {
  if (text === '*') return { type: 'any' };
  if (text.startsWith('*.')) {
    const suffix = normaliseName(text.slice(2));
    return suffix === undefined ? undefined : { type: 'wildcard', suffix: `.${suffix}` };
  }
  const name = normaliseName(text);
  return name === undefined ? networkRule(text) : { type: 'name', name };
}

function networkRule(text: string): HostRule | undefined {
  const network = parseNetwork(text);
  return network && { type: 'network', network };
}
