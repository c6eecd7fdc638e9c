import { expect, it } from 'vitest';
import { bracketed, formatHostPort, serverOf, withoutBrackets } from '../../../src/util/host-port.js';

it.each([
  ['example.com', 'example.com'],
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '[::1]'],
])('%s is %s in an address', (hostname, inAddress) => {
  expect(bracketed(hostname)).toBe(inAddress);
  expect(bracketed(inAddress)).toBe(inAddress);
  expect(withoutBrackets(inAddress)).toBe(hostname);
  expect(formatHostPort({ hostname, port: 8443 })).toBe(`${inAddress}:8443`);
  expect(serverOf(new URL(`https://${inAddress}:8443/path`))).toEqual({ hostname, port: 8443 });
});

it.each(['https://example.com', 'wss://example.com:443'])('%s has port 443', address => {
  expect(serverOf(new URL(address))).toEqual({ hostname: 'example.com', port: 443 });
});
