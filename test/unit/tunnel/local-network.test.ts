import { expect, test } from 'vitest';
import { placeOf } from '../../../src/tunnel/errors/local-network.js';

test.each([
  [
    'loopback',
    'localhost',
    'a.localhost',
    'localhost.',
    '127.0.0.1',
    '0x7f.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
  ],
  ['local', '10.0.0.1', '192.168.1.1', '172.16.0.1', '172.31.255.255', '169.254.1.1', '100.64.0.1'],
  ['local', '[fd00::1]', '[fe80::1]', '[::ffff:10.0.0.1]', 'relay.local', 'relay.internal', 'nas.home.arpa'],
  [
    'public',
    '8.8.8.8',
    '172.32.0.1',
    '100.128.0.1',
    '192.169.0.1',
    '11.0.0.1',
    '[2001:db8::1]',
    '[::ffff:8.8.8.8]',
  ],
  ['anywhere', 'relay.example.com', 'relay', 'localhost.example.com', '10.0.0.1.example.com'],
])('%s: %s, %s …', (place, ...hosts) => {
  for (const host of hosts) expect([host, placeOf(new URL(`ws://${host}/`).hostname)]).toEqual([host, place]);
});
