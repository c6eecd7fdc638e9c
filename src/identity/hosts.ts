import { withoutBrackets } from '../util/host-port.js';

/** A host pattern, read. */
interface HostPattern {
  /** Lower-case; without the leading `*.` when `wildcard` is set. */
  hostname: string;
  wildcard: boolean;
  port?: number;
}

const PATTERN =
  /^(?<wildcard>\*\.)?(?:\[(?<ipv6>[0-9a-f:.]+)\]|(?<name>[^\s:[\]*]+))(?::(?<port>\d{1,5}))?$/i;

/**
 * Throws unless each pattern is one of `host`, `host:port`, `*.example.com`, `*.example.com:8443`, `[::1]`, `[::1]:443`.
 *
 * @throws TypeError
 */
export function checkHostPatterns(patterns: readonly string[], option: string): void {
  for (const pattern of patterns) parsePattern(pattern, option);
}

/**
 * Whether one of the patterns allows a host and port. Case does not matter; `*.` stands for exactly one label, as in
 * certificates (RFC 9525, section 6.3); a pattern without a port allows every port.
 */
export function hostsAllow(patterns: readonly string[], hostname: string, port: number): boolean {
  const wanted = canonicalHostname(hostname);
  return patterns
    .map(it => parsePattern(it))
    .some(pattern => {
      if (pattern.port !== undefined && pattern.port !== port) return false;
      if (!pattern.wildcard) return wanted === pattern.hostname;
      const dot = wanted.indexOf('.');
      return dot > 0 && wanted.slice(dot + 1) === pattern.hostname;
    });
}

function parsePattern(pattern: string, option = 'hosts'): HostPattern {
  const { wildcard, ipv6, name, port } = PATTERN.exec(pattern)?.groups ?? {};
  const hostname = ipv6 ? canonicalIpv6(ipv6) : name && canonicalName(name);
  const validPort = port === undefined || (Number(port) > 0 && Number(port) < 65_536);
  // A wildcard before an address or before a single label would mean nothing, or too much.
  const validWildcard = !wildcard || (name && hostname?.includes('.') && !isIpv4(hostname));
  if (!hostname || !validPort || !validWildcard)
    throw new TypeError(
      `"${option}" must have patterns such as example.com or *.example.com:8443, not ${JSON.stringify(pattern)}`,
    );
  return { hostname, wildcard: Boolean(wildcard), ...(port && { port: Number(port) }) };
}

/** Of a canonical name: URLs read as an address what ends in a number, and write it so. */
function isIpv4(hostname: string): boolean {
  return /^[\d.]+$/.test(hostname);
}

/**
 * The one spelling of a host by which connections, answers, pins and sessions are kept: lower-case, Punycode, without the
 * dot of the root; IPv6 addresses compressed and without brackets.
 *
 * @throws TypeError
 */
export function bareHostname(hostname: string): string {
  const bare = withoutBrackets(canonicalHostname(hostname));
  if (bare) return bare;
  throw new TypeError(`"hostname" must be a DNS name or an IP address, not ${JSON.stringify(hostname)}`);
}

function canonicalHostname(hostname: string): string {
  const inner = withoutBrackets(hostname);
  return (inner.includes(':') ? canonicalIpv6(inner) : canonicalName(inner)) ?? '';
}

/** As URLs have it: lower-case, Punycode. The dot of the root makes no difference. */
function canonicalName(name: string): string | undefined {
  // What would make a URL's host end early.
  if (/[/\\?#@%:]/.test(name)) return undefined;
  try {
    const { hostname } = new URL(`https://${name.replace(/\.$/, '')}`);
    return hostname.endsWith('.') ? undefined : hostname;
  } catch {
    return undefined;
  }
}

function canonicalIpv6(address: string): string | undefined {
  try {
    return new URL(`https://[${address}]`).hostname;
  } catch {
    return undefined;
  }
}
