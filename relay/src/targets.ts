import { isIP, isIPv4, isIPv6 } from 'node:net';

/** Where a page may connect to: one entry of the allow-list, parsed. */
export interface TargetRule {
  /** A normalised name or address, or undefined for any. */
  hostname: string | undefined;
  /** `hostname` stands for the names below it, not for itself. */
  subdomains: boolean;
  /** Undefined for any. */
  port: number | undefined;
}

/**
 * Parses an entry of the allow-list: `host:port`, where the host is a DNS name, an IPv4 address, an IPv6 address in
 * brackets, `*.example.com` (every name below, at any depth) or `*` (everything), and the port a number or `*`.
 *
 * A `TypeError` for anything else.
 */
export function parseTargetRule(pattern: string): TargetRule {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\*|\d{1,5})$/.exec(pattern);
  const [, ipv6, name, portText] = match ?? [];
  const hostText = ipv6 ?? name;
  if (hostText === undefined || portText === undefined || (ipv6 !== undefined && !isIPv6(ipv6))) {
    throw ruleError(pattern);
  }
  const port = portText === '*' ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65535)) throw ruleError(pattern);
  if (hostText === '*') return { hostname: undefined, subdomains: false, port };
  const subdomains = hostText.startsWith('*.');
  const hostname = normaliseHostname(subdomains ? hostText.slice(2) : hostText);
  if (hostname === undefined || (subdomains && isIP(hostname) !== 0)) throw ruleError(pattern);
  return { hostname, subdomains, port };
}

/** Whether a rule covers a target whose host name `normaliseHostname` returned. */
export function ruleAllows(rule: TargetRule, hostname: string, port: number): boolean {
  if (rule.port !== undefined && rule.port !== port) return false;
  if (rule.hostname === undefined) return true;
  if (rule.subdomains) return isIP(hostname) === 0 && hostname.endsWith(`.${rule.hostname}`);
  return hostname === rule.hostname;
}

/**
 * The one spelling of a host name that is compared and then connected to; `undefined` for what is no plain name or address.
 *
 * Names come out in lower case without the dot of the root. Addresses are taken in their usual notation only: a resolver would
 * also read `0x7f.1`, `2130706433` or `127.1` as an address, so a name that ends in a number (WHATWG URL, "ends in a number")
 * is refused. An IPv4-mapped IPv6 address becomes the IPv4 address that it reaches.
 */
export function normaliseHostname(hostname: string): string | undefined {
  if (isIPv4(hostname)) return hostname;
  if (hostname.includes(':')) return normaliseIPv6(hostname);
  const name = hostname.toLowerCase().replace(/\.$/, '');
  if (name.length > 253) return undefined;
  const labels = name.split('.');
  if (!labels.every(label => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))) return undefined;
  return /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '') ? undefined : name;
}

function normaliseIPv6(address: string): string | undefined {
  // A zone names one of the relay's own interfaces, which is no business of a page's.
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const high = Number.parseInt(mapped[1] ?? '', 16);
  const low = Number.parseInt(mapped[2] ?? '', 16);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function ruleError(pattern: string): TypeError {
  return new TypeError(
    `cannot read the target ${JSON.stringify(pattern)}: write host:port, as in localhost:8443, *.example.com:443, 10.0.0.7:*, [::1]:8443`,
  );
}
