import { expect, test } from 'vitest';
import { type IpAddress, parseIpAddress } from '../../src/policy/addresses/ip-address.js';
import { isOwnAddress } from '../../src/policy/addresses/own-addresses.js';
import { parseTarget } from '../../src/policy/target.js';
import { TargetPolicy } from '../../src/policy/target-policy.js';
import { parseTargetRule } from '../../src/policy/target-rule.js';

/** Whether the rules admit a host on port 443, which is at this address (the host itself, if it is an address). */
function admits(rules: string, hostname: string, at = hostname): boolean {
  const policy = new TargetPolicy(rules.split(' ').map(rule => parseTargetRule(`${rule}:443`)));
  const target = parseTarget({ hostname, port: 443 });
  const address = parseIpAddress(at);
  if (!target || !address) throw new Error('no target');
  return policy.covers(target) && policy.admits(target, address);
}

const PLACES: Record<string, string> = {
  global: '8.8.8.8',
  private: '10.1.2.3',
  loopback: '127.0.0.1',
  'link-local': '169.254.1.1',
  metadata: '169.254.169.254',
  multicast: '224.0.0.1',
  broadcast: '255.255.255.255',
  unspecified: '0.0.0.0',
  reserved: '240.0.0.1',
};

const NAMED: [rule: string, hostname: string, admitted: string[]][] = [
  ['a.test', 'a.test', ['global', 'private']],
  ['localhost', 'localhost', ['global', 'private', 'loopback']],
  ['a.localhost', 'a.localhost', ['global', 'private', 'loopback']],
  ['notlocalhost', 'notlocalhost', ['global', 'private']],
  ['localhost.test', 'localhost.test', ['global', 'private']],
  ['*.test', 'a.test', ['global']],
  ['*.localhost', 'a.localhost', ['global']],
  ['*', 'a.test', ['global']],
  ['*', 'localhost', ['global']],
  ['*.test a.test', 'a.test', ['global', 'private']],
  ['*.test 10.0.0.0/8', 'a.test', ['global', 'private']],
  ['*.test 127.0.0.1', 'a.test', ['global', 'loopback']],
  ['* 169.254.169.254', 'a.test', ['global', 'metadata']],
  // A name needs a rule for names.
  ['10.1.2.3 8.8.8.8', 'a.test', []],
];

test.each(NAMED)('%s admits %s where it leads to %j', (rule, hostname, admitted) => {
  const found = Object.keys(PLACES).filter(name => admits(rule, hostname, PLACES[name]));
  expect(found).toEqual(admitted);
});

const ADDRESSED: [rule: string, admitted: string[]][] = [
  ['*', ['global']],
  ['0.0.0.0/0', ['global']],
  ['8.0.0.0/8', ['global']],
  ['10.0.0.0/8', ['private']],
  ['10.1.2.3', ['private']],
  ['8.0.0.0/6', ['global']],
  ['127.0.0.0/8', ['loopback']],
  ['169.254.0.0/16', ['link-local']],
  ['169.254.169.254', ['metadata']],
  ['224.0.0.0/4', ['multicast']],
  ['255.255.255.255', ['broadcast']],
  ['240.0.0.0/4', ['reserved']],
  ['0.0.0.0', ['unspecified']],
  ['a.test', []],
];

test.each(ADDRESSED)('%s admits addresses that are %j', (rule, admitted) => {
  const found = Object.entries(PLACES).filter(([, address]) => admits(rule, address));
  expect(found.map(([name]) => name)).toEqual(admitted);
});

test.each([
  ['::/0', '2606:4700::1', true],
  ['::/0', '64:ff9b::8.8.8.8', true],
  ['::/0', '64:ff9b::10.0.0.1', false],
  ['64:ff9b::/96', '64:ff9b::8.8.8.8', true],
  ['64:ff9b::/96', '64:ff9b::10.0.0.1', false],
  ['64:ff9b::a00:0/104', '64:ff9b::10.0.0.1', true],
  ['64:ff9b::a00:1', '64:ff9b::10.0.0.1', true],
  ['10.0.0.1', '64:ff9b::10.0.0.1', false],
  ['10.0.0.1', '::ffff:10.0.0.1', true],
  ['2002::/16', '2002:a00:1::1', false],
  ['2002:a00::/24', '2002:a00:1::1', true],
  ['fd00::/8', 'fd00:ec2::254', false],
  ['fd00:ec2::254', 'fd00:ec2::254', true],
  ['fe80::/10', 'fe80::1', true],
  ['::/0', '4000::1', false],
  ['::/0', 'fe00::1', false],
  ['4000::/3', '4000::1', true],
  ['::/8', '::1', false],
  ['::/8', '::1:0:0:1', true],
  ['fe00::/7', 'fe80::1', false],
])('%s admits %s: %s', (rule, address, admitted) => {
  expect(admits(address.includes(':') && rule.includes(':') ? `[${rule}]` : rule, address)).toBe(admitted);
});

test('rules that narrow the list take away from it, and add nothing', () => {
  const rules = (...texts: string[]) => texts.map(parseTargetRule);
  const policy = new TargetPolicy(rules('*.test:443', '10.0.0.0/8:443'));
  const covers = (hostname: string, ...narrowedTo: string[]) => {
    const target = parseTarget({ hostname, port: 443 });
    return target && policy.covers(target, rules(...narrowedTo));
  };
  expect(covers('a.test', 'a.test:443')).toBe(true);
  expect(covers('a.test', '*:*')).toBe(true);
  expect(covers('10.0.0.1', '*:*')).toBe(true);
  expect(covers('b.test', 'a.test:443')).toBe(false);
  expect(covers('a.test', 'a.test:444')).toBe(false);
  expect(covers('a.other', 'a.other:443')).toBe(false);
  expect(covers('10.0.0.2', '10.0.0.1:443')).toBe(false);
  expect(covers('a.test')).toBe(false);
});

test.each([
  ['*', '8.8.8.8', false],
  ['*', '8.8.8.9', true],
  ['*.test', 'a.test', false],
  ['8.0.0.0/8', '8.8.8.8', true],
  ['8.8.8.8', '8.8.8.8', true],
  ['a.test', 'a.test', true],
  ['*.test 8.8.8.8', 'a.test', true],
])('%s admits %s where 8.8.8.8 is the relay’s own address: %s', (rules, hostname, admitted) => {
  const isOwn = (address: IpAddress) => address.text === '8.8.8.8';
  const parsed = rules.split(' ').map(rule => parseTargetRule(`${rule}:443`));
  const target = parseTarget({ hostname, port: 443 });
  const address = parseIpAddress(hostname) ?? parseIpAddress('8.8.8.8');
  if (!target || !address) throw new Error('no target');
  expect(new TargetPolicy(parsed, isOwn).admits(target, address)).toBe(admitted);
});

test('the addresses of this machine’s interfaces are its own', () => {
  const own = ['127.0.0.1', '1.1.1.1', '2606:4700::1111'].filter(text => {
    const address = parseIpAddress(text);
    return address && isOwnAddress(address);
  });
  expect(own).toEqual(['127.0.0.1']);
});
