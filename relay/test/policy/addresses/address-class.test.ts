import { BlockList } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classify } from '../../../src/policy/addresses/address-class.js';
import { networkContains, parseIpAddress, parseNetwork } from '../../../src/policy/addresses/ip-address.js';
import { parseNat64Prefix } from '../../../src/policy/addresses/nat64.js';

function classOf(text: string): string | undefined {
  const address = parseIpAddress(text);
  return address && classify(address).class;
}

const CLASSES: Record<string, string[]> = {
  global: [
    ...[
      '1.1.1.1',
      '8.8.8.8',
      '9.255.255.255',
      '11.0.0.0',
      '100.63.255.255',
      '100.128.0.0',
      '126.255.255.255',
    ],
    ...['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.167.255.255'],
    ...['192.169.0.0', '198.17.255.255', '198.20.0.0', '223.255.255.255', '168.63.129.15'],
    ...['2606:4700::1111', '2a00::', '2003::1', '2001:470::1', '2001:200::1'],
  ],
  private: [
    ...['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'],
    ...['100.64.0.0', '100.127.255.255', '198.18.0.0', '198.19.255.255', '192.0.2.1', '198.51.100.1'],
    ...['203.0.113.1', 'fc00::', 'fdff:ffff::1', 'fec0::1', '2001:db8::1', '3fff::1', '2001:2::1'],
  ],
  loopback: ['127.0.0.0', '127.0.0.1', '127.255.255.255', '::1'],
  'link-local': ['169.254.0.0', '169.254.255.255', 'fe80::1', 'febf::1'],
  metadata: [
    ...['169.254.169.254', '169.254.170.2', '169.254.170.23', '100.100.100.200', '168.63.129.16'],
    ...['192.0.0.192', 'fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe'],
  ],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1', 'ff0e::1'],
  broadcast: ['255.255.255.255'],
  unspecified: ['0.0.0.0', '0.1.2.3', '::'],
  reserved: [
    ...['192.0.0.1', '192.88.99.1', '240.0.0.1', '255.255.255.254', '2001:100::1', '2001:20::1', '100::1'],
    ...['4000::1', '5f00::1', '::1:0:0:1', '64:ff9c::8.8.8.8', 'fe00::1', '8000::'],
  ],
};

test.each(Object.entries(CLASSES).flatMap(([name, texts]) => texts.map(text => [text, name])))(
  '%s is %s',
  (text, name) => {
    expect(classOf(text)).toBe(name);
  },
);

const IPV4: [address: string, name: string][] = [
  ['8.8.8.8', 'global'],
  ['10.1.2.3', 'private'],
  ['127.0.0.1', 'loopback'],
  ['169.254.1.1', 'link-local'],
  ['169.254.169.254', 'metadata'],
  ['224.0.0.1', 'multicast'],
  ['255.255.255.255', 'broadcast'],
  ['0.0.0.1', 'unspecified'],
  ['240.0.0.1', 'reserved'],
];

/** Ways to write an IPv4 address as another address. */
const FORMS: [name: string, write: (address: string, hex: string) => string][] = [
  ['IPv4-mapped', address => `::ffff:${address}`],
  ['mapped in hexadecimal', (_, hex) => `0:0:0:0:0:FFFF:${hex}`],
  ['IPv4-translated', address => `::ffff:0:${address}`],
  ['NAT64', address => `64:ff9b::${address}`],
  ['6to4', (_, hex) => `2002:${hex}::1`],
  ['Teredo', (_, hex) => `2001:0:808:808:0:0:${flipped(hex)}`],
  ['ISATAP', address => `2001:470::5efe:${address}`],
  ['ISATAP of a global address', address => `2001:470::200:5efe:${address}`],
];

function flipped(hex: string): string {
  return hex.replace(/[0-9a-f]+/g, word => (Number.parseInt(word, 16) ^ 0xffff).toString(16));
}

function hexOf(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

test.each(FORMS.flatMap(([form, write]) => IPV4.map(([address, name]) => ({ form, write, address, name }))))(
  'the $form form of $address is $name',
  ({ write, address, name }) => {
    expect(classOf(write(address, hexOf(address)))).toBe(name);
  },
);

test.each([
  // `::` and `::1` are what they are, not compatible forms of 0.0.0.0 and 0.0.0.1.
  ['::8.8.8.8', 'global'],
  ['::127.0.0.1', 'loopback'],
  ['::2', 'unspecified'],
  // A prefix that is not global stays what it is, whatever the address within it.
  ['fd00::5efe:8.8.8.8', 'private'],
  ['fd00::5efe:127.0.0.1', 'loopback'],
  ['fe80::5efe:8.8.8.8', 'link-local'],
  ['64:ff9b:1::8.8.8.8', 'private'],
  ['64:ff9b:1::10.0.0.1', 'private'],
  ['64:ff9b:1::169.254.169.254', 'metadata'],
  ['64:ff9b:1:7f00:0:100::', 'reserved'],
  ['64:ff9b:1:0:7f:0:100:0', 'reserved'],
])('%s is %s', (text, name) => {
  expect(classOf(text)).toBe(name);
});

/** RFC 6052 section 2.4 writes 192.0.2.33 in each; the last has bits behind the IPv4 address, which a translator ignores. */
const PREFIXES: [prefix: string, write: (v4: [number, number, number, number]) => string][] = [
  ['2400:db8::/32', ([a, b, c, d]) => `2400:db8:${hex2(a, b)}:${hex2(c, d)}::`],
  ['2400:db8:100::/40', ([a, b, c, d]) => `2400:db8:${hex2(1, a)}:${hex2(b, c)}:${hex2(0, d)}::`],
  ['2400:db8:122::/48', ([a, b, c, d]) => `2400:db8:122:${hex2(a, b)}:${hex2(0, c)}:${hex2(d, 0)}::`],
  ['2400:db8:122:300::/56', ([a, b, c, d]) => `2400:db8:122:${hex2(3, a)}:${hex2(0, b)}:${hex2(c, d)}::`],
  ['2400:db8:122:344::/64', ([a, b, c, d]) => `2400:db8:122:344:${hex2(0, a)}:${hex2(b, c)}:${hex2(d, 0)}::`],
  ['2400:db8:122:344::/96', ([a, b, c, d]) => `2400:db8:122:344::${a}.${b}.${c}.${d}`],
  ['2400:db8:122::/48', ([a, b, c, d]) => `2400:db8:122:${hex2(a, b)}:${hex2(255, c)}:${hex2(d, 9)}:808:808`],
];

function hex2(high: number, low: number): string {
  return ((high << 8) | low).toString(16);
}

test.each(PREFIXES)(
  'addresses of the NAT64 prefix %s have the class of their IPv4 address',
  (prefix, write) => {
    const prefixes = [parseNat64Prefix('2400:ffff::/96'), parseNat64Prefix(prefix)];
    for (const [text, name] of IPV4) {
      const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
      const address = parseIpAddress(write([a, b, c, d]));
      expect([text, address && classify(address, prefixes).class]).toEqual([text, name]);
      expect(address && classify(address).class).toBe('global');
    }
  },
);

test('a range behind a translator begins where its IPv4 address does', () => {
  const lengthIn = (prefix: string, text: string) => {
    const address = parseIpAddress(text);
    return address && classify(address, [parseNat64Prefix(prefix)]).prefixLength;
  };
  // 10.0.0.0/8 of 48 bits before, 192.168.0.0/16 likewise, 100.64.0.0/10 over the gap.
  expect(lengthIn('2400::/48', '2400:0:0:a00::')).toBe(56);
  expect(lengthIn('2400::/48', '2400:0:0:c0a8::')).toBe(64);
  expect(lengthIn('2400::/56', '2400::64:40:0:0:0')).toBe(74);
  expect(lengthIn('2400::/96', '2400::10.0.0.1')).toBe(104);
});

test('behind a prefix that is not global nothing is', () => {
  const classIn = (prefix: string, text: string) => {
    const address = parseIpAddress(text);
    return address && classify(address, [parseNat64Prefix(prefix)]).class;
  };
  for (const prefix of ['64:ff9b:1:fffe::/96', 'fd00:64::/96']) {
    const written = (ipv4: string) => prefix.replace('/96', ipv4);
    expect(classIn(prefix, written('8.8.8.8'))).toBe('private');
    expect(classIn(prefix, written('169.254.169.254'))).toBe('metadata');
    expect(classIn(prefix, written('127.0.0.1'))).toBe('loopback');
  }
});

test.each(['', '64:ff9b::', '10.0.0.0/8', '2400::/80', '2400::1/96', '2400::/128', 'nat64.test'])(
  '%j is no NAT64 prefix',
  text => {
    expect(() => parseNat64Prefix(text)).toThrow('"nat64Prefixes" must be');
  },
);

test.each([
  '',
  '1.2.3',
  '01.2.3.4',
  '1.2.3.4.',
  '256.1.1.1',
  '::1%lo',
  '[::1]',
  '1::2::3',
  'g::',
  '0x7f.0.0.1',
])('%j is not an address', text => {
  expect(parseIpAddress(text)).toBeUndefined();
});

test('networks contain what Node’s BlockList says that they contain', () => {
  const addresses = fc.oneof(
    fc.ipV4().map(text => ({ text, family: 'ipv4' as const, length: 32 })),
    fc.ipV6().map(text => ({ text, family: 'ipv6' as const, length: 128 })),
  );
  fc.assert(
    fc.property(addresses, addresses, fc.nat(128), (inner, outer, anyLength) => {
      const base = parseIpAddress(outer.text);
      const address = parseIpAddress(inner.text);
      fc.pre(
        base?.family === (outer.length === 32 ? 4 : 6) && address?.family === (inner.length === 32 ? 4 : 6),
      );
      if (!base || !address) return;
      const prefixLength = anyLength % (outer.length + 1);
      const list = new BlockList();
      list.addSubnet(outer.text, prefixLength, outer.family);
      const network = { family: base.family, bits: base.bits, prefixLength };
      expect(networkContains(network, address)).toBe(
        inner.family === outer.family && list.check(inner.text, inner.family),
      );
      expect(networkContains(network, base)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('every address has one spelling, which reads as itself', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), text => {
      const address = parseIpAddress(text);
      expect(parseIpAddress(address?.text ?? '')).toEqual(address);
      expect(parseNetwork(text)).toMatchObject({ bits: address?.bits });
    }),
    { numRuns: 500 },
  );
});
