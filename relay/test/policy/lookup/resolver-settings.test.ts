import { expect, test } from 'vitest';
import { parseResolverSettings } from '../../../src/policy/lookup/resolver-settings.js';

test.each([
  ['10.0.0.53', '10.0.0.53:53'],
  ['10.0.0.53:5353', '10.0.0.53:5353'],
  ['fd00::53', '[fd00::53]:53'],
  ['[fd00::53]:5353', '[fd00::53]:5353'],
])('the DNS server %s', (server, expected) => {
  expect(parseResolverSettings({ dnsServers: [server] }).dnsServers).toEqual([expected]);
});

test.each([
  '',
  'dns.example',
  '10.0.0.53:',
  '10.0.0.53:0',
  '10.0.0.53:65536',
  '10.0.53',
  '[fd00::53]',
  '[10.0.0.53]:53',
  '10.0.0.53:53:53',
])('the DNS server %j is a TypeError', server => {
  expect(() => parseResolverSettings({ dnsServers: [server] })).toThrow(TypeError);
});
