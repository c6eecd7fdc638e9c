import { parseIpAddress } from '../../policy/addresses/ip-address.js';

/** The one spelling of an IP address, without a zone; `undefined` for anything else. */
export function normaliseAddress(text: string): string | undefined {
  return parseIpAddress(text.replace(/%.*$/s, ''))?.text;
}

/** What limits per address count: an IPv4 address, or the /64 of an IPv6 address, all of which one subscriber has. */
export function addressKey(text: string): string {
  const address = parseIpAddress(text.replace(/%.*$/s, ''));
  if (address?.family !== 6) return address?.text ?? text;
  return `${(address.bits >> 64n).toString(16)}::/64`;
}

/** Whether an address to listen on, or a name for it, is reachable from this machine alone. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
