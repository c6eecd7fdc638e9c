import { expect, test } from 'vitest';
import { parseTarget } from '../../src/policy/target.js';
import { TargetPolicy } from '../../src/policy/target-policy.js';
import { parseTargetRule } from '../../src/policy/target-rule.js';

function covers(pattern: string, hostname: string, port: number): boolean {
  const target = parseTarget({ hostname, port });
  return target !== undefined && new TargetPolicy([parseTargetRule(pattern)]).covers(target);
}

test.each([
  ['localhost:8443', 'localhost', 8443],
  ['Example.COM:443', 'eXample.com.', 443],
  ['example.com.:443', 'example.com', 443],
  ['*.example.com:443', 'a.example.com', 443],
  ['*.example.com:443', 'a.b.example.com', 443],
  ['10.0.0.7:*', '10.0.0.7', 1],
  ['[::1]:8443', '::1', 8443],
  ['[::1]:8443', '0:0:0:0:0:0:0:1', 8443],
  ['[2001:DB8::1]:1', '2001:db8:0::1', 1],
  ['127.0.0.1:1', '::ffff:127.0.0.1', 1],
  ['127.0.0.1:1', '::ffff:7f00:1', 1],
  ['[::ffff:127.0.0.1]:1', '127.0.0.1', 1],
  ['*:443', 'anything.test', 443],
  ['*:*', '::1', 65535],
  ['under_score.test:1', 'under_score.test', 1],
  ['xn--bcher-kva.example:1', 'xn--bcher-kva.example', 1],
  ['a.test:8000-8099', 'a.test', 8000],
  ['a.test:8000-8099', 'a.test', 8099],
  ['10.0.0.0/8:443', '10.255.255.255', 443],
  ['10.0.0.7/32:443', '10.0.0.7', 443],
  ['0.0.0.0/0:443', '255.255.255.255', 443],
  ['[fd00::/8]:443', 'fdff:ffff::1', 443],
  ['[::/0]:443', 'ffff::1', 443],
  ['[2001:db8::/127]:443', '2001:db8::1', 443],
  ['10.0.0.0/8:443', '::ffff:10.0.0.1', 443],
])('%s covers %s port %i', (pattern, hostname, port) => {
  expect(covers(pattern, hostname, port)).toBe(true);
});

test.each([
  ['localhost:8443', 'localhost', 8444],
  ['localhost:8443', '127.0.0.1', 8443],
  ['a.test:8000-8099', 'a.test', 7999],
  ['a.test:8000-8099', 'a.test', 8100],
  ['10.0.0.0/8:443', '11.0.0.0', 443],
  ['10.0.0.0/8:443', '9.255.255.255', 443],
  ['10.0.0.0/8:443', '::a00:1', 443],
  ['10.0.0.0/8:443', 'ten.test', 443],
  ['[fd00::/8]:443', 'fc00::1', 443],
  ['[::/0]:443', '10.0.0.1', 443],
  ['0.0.0.0/0:443', 'fd00::1', 443],
  ['[2001:db8::/127]:443', '2001:db8::2', 443],
  ['localhost:8443', '::1', 8443],
  ['127.0.0.1:8443', 'localhost', 8443],
  ['*.example.com:443', 'example.com', 443],
  ['*.example.com:443', 'evilexample.com', 443],
  ['*.example.com:443', 'a.example.com.evil.test', 443],
  ['example.com:443', 'a.example.com', 443],
  ['example.com:443', 'example.com..', 443],
  ['*:*', '', 1],
  ['*:*', '.', 1],
  ['*:*', 'a..b', 1],
  ['*:*', '*.example.com', 1],
  ['*:*', 'a b', 1],
  ['*:*', 'a\0b', 1],
  ['*:*', 'bücher.example', 1],
  ['*:*', 'xn--a.example', 1],
  ['*:*', 'www.xn--0', 1],
  ['*:*', 'xn--', 1],
  ['*:*', '127.1', 1],
  ['*:*', '2130706433', 1],
  ['*:*', '0x7f000001', 1],
  ['*:*', '0X7F.0.0.1', 1],
  ['*:*', '0177.0.0.1', 1],
  ['*:*', '127.0.0.1.', 1],
  ['*:*', '1.2.3.4.5', 1],
  ['*:*', 'a.0x', 1],
  ['*:*', '１２７.0.0.1', 1],
  ['*:*', '[::1]', 1],
  ['*:*', 'fe80::1%eth0', 1],
  ['*:*', '::ffff:127.0.0.1%1', 1],
  ['*:*', `${'a'.repeat(64)}.test`, 1],
])('%s does not cover %j port %i', (pattern, hostname, port) => {
  expect(covers(pattern, hostname, port)).toBe(false);
});

test.each([
  'example.com',
  'example.com:',
  'example.com:0',
  'example.com:65536',
  'example.com:443/x',
  'https://example.com:443',
  '::1:443',
  '[::1]',
  '[example.com]:443',
  '*.:443',
  '*.10.0.0.1:443',
  'a.*.com:443',
  '*a.com:443',
  '127.1:443',
  '10.0.0.0/33:443',
  '10.0.0.0/:443',
  '10.0.0.1/8:443',
  '10.0/8:443',
  '[fd00::/129]:443',
  '[fd00::1/8]:443',
  '[::ffff:10.0.0.0/104]:443',
  '[10.0.0.0/8]:443',
  '[fe80::1%eth0]:443',
  'fd00::/8:443',
  'example.com/8:443',
  '*/0:443',
  'xn--a.example:443',
  '*.xn--a:443',
  'a:1-',
  'a:-2',
  'a:2-1',
  'a:0-1',
  'a:1-65536',
  'a:1-*',
  'a:+1',
  'a: 1',
  '',
])('the pattern %j is a TypeError that quotes it', pattern => {
  const parse = () => parseTargetRule(pattern);
  expect(parse).toThrow(TypeError);
  expect(parse).toThrow(JSON.stringify(pattern));
});
