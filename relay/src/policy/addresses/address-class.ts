import { type IpAddress, ipv4Address, type Network, networkContains, parseNetwork } from './ip-address.js';
import { translatedBy } from './nat64.js';

/** What an address is good for, by the registries of special-purpose addresses (RFC 6890) and of the clouds. */
export type AddressClass =
  | 'global'
  | 'private'
  | 'loopback'
  | 'link-local'
  | 'metadata'
  | 'multicast'
  | 'broadcast'
  | 'unspecified'
  | 'reserved';

export interface ClassRange {
  class: AddressClass;
  /** Length of the prefix that all addresses of the range share. */
  prefixLength: number;
}

const IPV4_CLASSES: [AddressClass, string[]][] = [
  ['unspecified', ['0.0.0.0/8']],
  ['loopback', ['127.0.0.0/8']],
  [
    'private',
    [
      ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
      // Shared by providers (RFC 6598), benchmarks (RFC 2544), documentation (RFC 5737).
      ...['100.64.0.0/10', '198.18.0.0/15', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'],
    ],
  ],
  ['link-local', ['169.254.0.0/16']],
  [
    'metadata',
    [
      // AWS, Google, Azure, OpenStack and most others; containers of AWS; Scaleway; Tencent.
      ...['169.254.169.254', '169.254.170.2', '169.254.170.23', '169.254.42.42', '169.254.0.23'],
      // Alibaba, Azure, Oracle.
      ...['100.100.100.200', '168.63.129.16', '192.0.0.192'],
    ],
  ],
  ['multicast', ['224.0.0.0/4']],
  ['broadcast', ['255.255.255.255']],
  ['reserved', ['192.0.0.0/24', '192.88.99.0/24', '240.0.0.0/4']],
  ['global', ['0.0.0.0/0']],
];

const IPV6_CLASSES: [AddressClass, string[]][] = [
  ['unspecified', ['::']],
  ['loopback', ['::1']],
  // Unique local, the former site-local, documentation, benchmarks.
  ['private', ['fc00::/7', 'fec0::/10', '2001:db8::/32', '3fff::/20', '2001:2::/48']],
  ['link-local', ['fe80::/10']],
  [
    'metadata',
    [
      // AWS and its containers, Google, Scaleway, Oracle, OpenStack.
      ...['fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', 'fd00:42::42'],
      ...['fd00:c1::a9fe:a9fe', 'fe80::a9fe:a9fe'],
    ],
  ],
  ['multicast', ['ff00::/8']],
  ['global', ['2000::/3']],
  [
    'reserved',
    [
      '2001::/23',
      // All that is not assigned (IANA, IPv6 address space).
      ...['::/8', '100::/8', '200::/7', '400::/6', '800::/5', '1000::/4', '4000::/3', '6000::/3', '8000::/3'],
      ...['a000::/3', 'c000::/3', 'e000::/4', 'f000::/5', 'f800::/6', 'fe00::/9'],
    ],
  ],
];

type Ranges = (Network & ClassRange)[];

const IPV4_RANGES = rangesOf(IPV4_CLASSES);
const IPV6_RANGES = rangesOf(IPV6_CLASSES);

/**
 * IPv6 addresses that stand for an IPv4 address, which begins at this bit: IPv4-compatible (RFC 4291), translated (RFC 2765),
 * NAT64 (RFC 6052), 6to4 (RFC 3056).
 */
const EMBEDDINGS: [network: Network, offset: number][] = [
  [network('::/96'), 96],
  [network('::ffff:0:0:0/96'), 96],
  [network('64:ff9b::/96'), 96],
  [network('2002::/16'), 16],
];
const TEREDO = network('2001::/32');
const GLOBAL = network('2000::/3');
const LOCAL_NAT64 = network('64:ff9b:1::/48');

/**
 * The class of an address; one that stands for an IPv4 address has the class of that. `nat64Prefixes`: those of the network that the
 * relay is in.
 */
export function classify(address: IpAddress, nat64Prefixes: readonly Network[] = []): ClassRange {
  if (address.family === 4) return rangeOf(address, IPV4_RANGES);
  return translated(address, nat64Prefixes) ?? classifyIpv6(address);
}

/** A prefix that is not global is a network's own: then even a global address behind the translator is not reached globally. */
function translated(address: IpAddress, prefixes: readonly Network[]): ClassRange | undefined {
  const found = translatedBy(prefixes, address);
  if (!found) return undefined;
  const range = rangeOf(found.ipv4, IPV4_RANGES);
  const { prefixLength } = range;
  const isGlobal = networkContains(GLOBAL, address);
  return {
    class: range.class === 'global' && !isGlobal ? 'private' : range.class,
    prefixLength: found.bitsBefore(prefixLength) + prefixLength,
  };
}

function classifyIpv6(address: IpAddress): ClassRange {
  const { bits } = address;
  if (bits <= 1n) return rangeOf(address, IPV6_RANGES);
  const embedding = EMBEDDINGS.find(([network]) => networkContains(network, address));
  if (embedding) return embedded(bits >> BigInt(96 - embedding[1]), embedding[1]);
  // The client's address has its bits flipped (RFC 4380).
  if (networkContains(TEREDO, address)) return embedded(~bits, 96);
  if (networkContains(LOCAL_NAT64, address)) return localNat64(bits);
  return isatap(bits, rangeOf(address, IPV6_RANGES));
}

/** The translator belongs to this network, so that even a global address behind it is not reached globally (RFC 8215). */
function localNat64(bits: bigint): ClassRange {
  // Zeros where a host is: the IPv4 address is at another place (RFC 6052 section 2.2), which cannot be told.
  if ((bits & 0xff_ffffn) === 0n) return { class: 'reserved', prefixLength: 48 };
  const range = embedded(bits, 96);
  return range.class === 'global' ? { class: 'private', prefixLength: 48 } : range;
}

/** An interface identifier that ends in an IPv4 address (RFC 5214); the stricter class of prefix and address counts. */
function isatap(bits: bigint, range: ClassRange): ClassRange {
  if (((bits >> 32n) & 0xfdff_ffffn) !== 0x5efen) return range;
  const inner = embedded(bits, 96);
  return strictness(inner) > strictness(range) ? inner : range;
}

function strictness(range: ClassRange): number {
  if (range.class === 'global') return 0;
  return range.class === 'private' ? 1 : 2;
}

/** The range that the last 32 of these bits are in as an IPv4 address, behind `offset` bits of something else. */
function embedded(bits: bigint, offset: number): ClassRange {
  const range = rangeOf(ipv4Address(bits & 0xffff_ffffn), IPV4_RANGES);
  return { class: range.class, prefixLength: offset + range.prefixLength };
}

function rangeOf(address: IpAddress, ranges: Ranges): ClassRange {
  const found = ranges.find(range => networkContains(range, address));
  return found ?? { class: 'reserved', prefixLength: 128 };
}

/** The longest prefix first. */
function rangesOf(classes: [AddressClass, string[]][]): Ranges {
  const ranges = classes.flatMap(([name, networks]) =>
    networks.map(text => ({ ...network(text), class: name })),
  );
  return ranges.sort((a, b) => b.prefixLength - a.prefixLength);
}

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (!parsed) throw new TypeError(`${text} is not a network`);
  return parsed;
}
