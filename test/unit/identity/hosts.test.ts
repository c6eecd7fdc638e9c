import { expect, it } from 'vitest';
import { checkHostPatterns, hostsAllow } from '../../../src/identity/hosts.js';

it.each<[pattern: string, hostname: string, port: number, allowed: boolean]>([
  ['example.com', 'example.com', 443, true],
  ['example.com', 'EXAMPLE.com', 8443, true],
  ['Example.COM', 'example.com', 443, true],
  ['example.com', 'example.com.', 443, true],
  ['example.com', 'a.example.com', 443, false],
  ['example.com', 'example.com.evil.org', 443, false],
  ['example.com:8443', 'example.com', 8443, true],
  ['example.com:8443', 'example.com', 443, false],
  ['*.example.com', 'a.example.com', 443, true],
  ['*.example.com', 'a.b.example.com', 443, false],
  ['*.example.com', 'example.com', 443, false],
  ['*.example.com', '.example.com', 443, false],
  ['*.example.com', 'aexample.com', 443, false],
  ['*.example.com:8443', 'a.example.com', 8443, true],
  ['*.example.com:8443', 'a.example.com', 443, false],
  ['localhost', 'localhost', 1, true],
  ['127.0.0.1:8443', '127.0.0.1', 8443, true],
  ['[::1]', '::1', 443, true],
  ['[0:0::1]:443', '[::1]', 443, true],
  ['[::1]', '::2', 443, false],
  ['bücher.example', 'xn--bcher-kva.example', 443, true],
  ['example.com', 'example.com/evil', 443, false],
  ['example.com', 'example.com#', 443, false],
  ['example.com', 'example.com\\evil', 443, false],
  ['example.com', '', 443, false],
])('%s for %s:%i: %s', (pattern, hostname, port, allowed) => {
  expect(hostsAllow([pattern], hostname, port)).toBe(allowed);
  expect(hostsAllow(['other.org', pattern], hostname, port)).toBe(allowed);
});

it('allows nothing without patterns', () => {
  expect(hostsAllow([], 'example.com', 443)).toBe(false);
});

it.each([
  '',
  '*',
  '*.',
  '*.com',
  '*.com.',
  '*.localhost.',
  '*.0x7f.1',
  '*.127.0.0.1',
  '*.[::1]',
  'a.*.com',
  '**.example.com',
  'https://example.com',
  'example.com/',
  'example.com\\',
  'user@example.com',
  'example.com:0',
  'example.com:65536',
  'example.com:',
  'exa mple.com',
  '::1',
  '[::1',
  '[example.com]',
  'a%2eb.com',
])('refuses the pattern %j', pattern => {
  expect(() => checkHostPatterns([pattern], 'hosts')).toThrow(TypeError);
});
