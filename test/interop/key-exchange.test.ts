import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { startRelay, withClient } from '../support/client.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startOpensslServer } from '../support/openssl-server.js';
import { go } from '../support/servers/go.js';
import { serverPairsOf, settingsOf } from '../support/servers/settings.js';
import type { RunningServers } from '../support/servers/types.js';

/** Go's standard library is compiled along on the first run. */
const START_TIMEOUT_MS = 6 * 60_000;

const pki = new OpensslPki('Test CA');
const identities = [pki.issue({ subject: '/CN=Client', kind: 'rsa', usage: 'clientAuth' })];
const pairs = serverPairsOf(pki);
const settings = settingsOf(go, { pairs, clientCa: pki.ca.cert }).filter(
  ({ clientAuth, http }) => clientAuth === 'required' && http === 'h2',
);
let relay: Relay;
let servers: RunningServers;

beforeAll(async () => {
  relay = await startRelay();
  servers = await go.start(settings, 0);
}, START_TIMEOUT_MS);

afterAll(async () => {
  await servers?.stop();
  await relay?.close();
  pki.close();
});

const agreedOn = (port: number | undefined) =>
  withClient({ relay, ca: pki.ca.cert, identities }, async client => {
    const response = await client.fetch(`https://localhost:${port}/`);
    await response.text();
    expect(response.status).toBe(200);
    return client.connectionInfo(response)?.keyExchange;
  });

test.each(settings.map((it, index) => [it.tls, it.serverKey, index] as const))(
  'Go, %s, server %s: post-quantum keys in TLS 1.3',
  async (tls, _, index) => {
    expect(await agreedOn(servers.ports[index])).toBe(tls === 'TLSv1.3' ? 'X25519MLKEM768' : 'X25519');
  },
);

test.each([
  ['TLSv1.3', 'X25519', 'X25519'],
  ['TLSv1.3', 'P-256', 'secp256r1'],
  ['TLSv1.2', 'X25519', 'X25519'],
  ['TLSv1.2', 'P-256', 'secp256r1'],
] as const)('%s with a server that has only %s', async (tls, group, name) => {
  const [server] = pairs.values();
  if (!server) throw new Error('no certificate');
  const running = await startOpensslServer({ server, tls, clientCa: pki.ca.cert, args: ['-groups', group] });
  try {
    expect(await agreedOn(running.port)).toBe(name);
  } finally {
    await running.stop();
  }
});
