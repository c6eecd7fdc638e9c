import { isIPv4, isIPv6 } from 'node:net';

/** An IP address in its one spelling. */
export interface IpAddress {
  readonly family: 4 | 6;
  /** 32 or 128 bits. */
  readonly bits: bigint;
  readonly text: string;
}

/** The addresses whose first bits are those of the network. */
export interface Network {
  readonly family: 4 | 6;
  readonly bits: bigint;
  readonly prefixLength: number;
}

/**
 * Reads an address in its usual notation; `undefined` for anything else, such as an address with a zone, which names one of
 * the relay's own interfaces. An IPv4-mapped IPv6 address becomes the IPv4 address that a socket would reach.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return ipv4Address(ipv4Bits(text));
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const bits = ipv6Bits(canonical);
  return bits >> 32n === 0xffffn ? ipv4Address(bits & 0xffff_ffffn) : { family: 6, bits, text: canonical };
}

/** The IPv4 address of a number of 32 bits. */
export function ipv4Address(bits: bigint): IpAddress {
  const bytes = [24n, 16n, 8n, 0n].map(shift => (bits >> shift) & 255n);
  return { family: 4, bits, text: bytes.join('.') };
}

/** Reads `10.0.0.0/8`, or an address as the network of itself; `undefined` for anything else, and for bits behind the prefix. */
export function parseNetwork(text: string): Network | undefined {
  const [, addressText = '', lengthText] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseIpAddress(addressText);
  if (!address) return undefined;
  const { family, bits } = address;
  if (lengthText === undefined) return { family, bits, prefixLength: lengthOf(family) };
  const prefixLength = Number(lengthText);
  const isMapped = family === 4 && addressText.includes(':');
  if (isMapped || prefixLength > lengthOf(family)) return undefined;
  const hostBits = BigInt(lengthOf(family) - prefixLength);
  return (bits >> hostBits) << hostBits === bits ? { family, bits, prefixLength } : undefined;
}

export function networkContains(network: Network, address: IpAddress): boolean {
  const hostBits = BigInt(lengthOf(network.family) - network.prefixLength);
  return address.family === network.family && address.bits >> hostBits === network.bits >> hostBits;
}

function lengthOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

function ipv4Bits(text: string): bigint {
  return text.split('.').reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}

/** Reads the canonical form of URLs, which has no dotted part and at most one `::`. */
function ipv6Bits(canonical: string): bigint {
  const [head = [], tail = []] = canonical.split('::').map(part => part.split(':').filter(Boolean));
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].reduce((bits, word) => (bits << 16n) | BigInt(`0x${word}`), 0n);
}
