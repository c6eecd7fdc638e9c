import { type IpAddress, ipv4Address, type Network, networkContains, parseNetwork } from './ip-address.js';

/** Lengths of the prefixes of translators (RFC 6052 section 2.2). */
const LENGTHS = [32, 40, 48, 56, 64, 96];

/** Bits 64 to 71 hold nothing, in prefixes that end before them. */
const GAP_AT = 64;
const GAP_BITS = 8;

/** @throws TypeError */
export function parseNat64Prefix(text: string): Network {
  const prefix = parseNetwork(String(text));
  if (prefix?.family === 6 && LENGTHS.includes(prefix.prefixLength)) return prefix;
  throw new TypeError(
    `"nat64Prefixes" must be IPv6 networks of ${LENGTHS.join(', ')} bits, as in 2001:db8:64::/96, not ${JSON.stringify(text)}`,
  );
}

/** The IPv4 address that a translator would make of this one, and where in it that begins and what it leaves out. */
export interface Translated {
  ipv4: IpAddress;
  /** Bits in front of the first bits of the IPv4 address, so many as are given. */
  bitsBefore(ipv4Bits: number): number;
}

/** Undefined when the address is in none of the prefixes. */
export function translatedBy(prefixes: readonly Network[], address: IpAddress): Translated | undefined {
  const prefix = prefixes.find(each => networkContains(each, address));
  if (!prefix) return undefined;
  const { prefixLength } = prefix;
  const hasGap = prefixLength <= GAP_AT;
  const bits = hasGap ? withoutGap(address.bits) : address.bits;
  const bitsBehind = 128 - prefixLength - 32 - (hasGap ? GAP_BITS : 0);
  return {
    ipv4: ipv4Address((bits >> BigInt(bitsBehind)) & 0xffff_ffffn),
    bitsBefore: ipv4Bits => prefixLength + (hasGap && prefixLength + ipv4Bits > GAP_AT ? GAP_BITS : 0),
  };
}

function withoutGap(bits: bigint): bigint {
  const behind = BigInt(128 - GAP_AT - GAP_BITS);
  return ((bits >> BigInt(128 - GAP_AT)) << behind) | (bits & ((1n << behind) - 1n));
}
