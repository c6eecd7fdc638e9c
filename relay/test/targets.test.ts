import { expect, test } from 'vitest';
import { normaliseHostname, parseTargetRule, ruleAllows } from '../src/targets.js';

function allows(pattern: string, hostname: string, port: number): boolean {
  const normalised = normaliseHostname(hostname);
  return normalised !== undefined && ruleAllows(parseTargetRule(pattern), normalised, port);
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
])('%s allows %s port %i', (pattern, hostname, port) => {
  expect(allows(pattern, hostname, port)).toBe(true);
});

test.each([
  ['localhost:8443', 'localhost', 8444],
  ['localhost:8443', '127.0.0.1', 8443],
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
])('%s does not allow %j port %i', (pattern, hostname, port) => {
  expect(allows(pattern, hostname, port)).toBe(false);
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
  '',
])('the pattern %j is a TypeError', pattern => {
  expect(() => parseTargetRule(pattern)).toThrow(TypeError);
});
