import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { createClient, type Identity } from '../../src/index.js';
import { identityOf, startRelay } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { startGnutlsServer } from '../support/gnutls-server.js';
import { startNginx } from '../support/nginx.js';
import { type KeyKind, type KeyPair, OpensslPki } from '../support/openssl-pki.js';
import { startOpensslServer } from '../support/openssl-server.js';
import { go } from '../support/servers/go.js';
import { java } from '../support/servers/java.js';
import type { ServerKind } from '../support/servers/types.js';

type Version = 'TLSv1.2' | 'TLSv1.3';

/** Go's standard library is compiled along on the first run. */
const START_TIMEOUT_MS = 6 * 60_000;
const KINDS = ['rsa', 'rsapss', 'p256', 'p384', 'p521', 'ed25519'] as const;
type Kind = (typeof KINDS)[number];

const pki = new OpensslPki('Test CA');
const identities = new Map<KeyKind, Identity>();
let server: KeyPair;
let rsaServer: KeyPair;
let relay: Relay;

beforeAll(async () => {
  const names = { subject: '/CN=localhost', altNames: 'DNS:localhost' };
  server = pki.issue(names);
  rsaServer = pki.issue({ ...names, kind: 'rsa' });
  for (const kind of KINDS) {
    const pair = pki.issue({ subject: `/CN=client ${kind}`, usage: 'clientAuth', kind });
    identities.set(kind, await identityOf(pair));
  }
  relay = await startRelay();
});

afterAll(async () => {
  await relay?.close();
  pki.close();
});

/** `in`, `unfit` (the client shows nothing, because no scheme fits), or the code of another failure. */
async function outcome(port: number, kind: Kind): Promise<string> {
  const identity = identities.get(kind);
  const client = await createClient({
    tunnel: relay.url,
    identities: identity ? [identity] : [],
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
  });
  try {
    const response = await client.fetch(`https://localhost:${port}/`);
    await response.text();
    return client.connectionInfo(response)?.clientCertificateSent ? 'in' : 'no certificate';
  } catch (error) {
    const { code, cause } = error as { code: string; cause: Error };
    const isUnfit = code === 'ERR_TLS_CLIENT_CERT_REQUIRED' && /supports none of|SHA-1/.test(cause.message);
    return isUnfit ? 'unfit' : code;
  } finally {
    await client.close();
  }
}

/** Those of the kinds that get in; each of the others must be held back as unfit, but for the exceptions. */
async function getIn(port: number, exceptions: Partial<Record<Kind, string>> = {}): Promise<Kind[]> {
  const found: [Kind, string][] = [];
  for (const kind of KINDS) found.push([kind, await outcome(port, kind)]);
  const others = found.filter(([kind, it]) => it !== 'in' && it !== (exceptions[kind] ?? 'unfit'));
  expect(others).toEqual([]);
  return found.filter(([, it]) => it === 'in').map(([kind]) => kind);
}

/** OpenSSL takes no certificate on a curve that the client does not offer for the key exchange, in TLS 1.2. */
const curveRefused = { p521: 'ERR_TLS_CLIENT_CERT_REJECTED' };

describe.each<[Version, list: string, kinds: Kind[]]>([
  ['TLSv1.2', 'ECDSA+SHA256', ['p256', 'p384']],
  ['TLSv1.2', 'ECDSA+SHA384', ['p256', 'p384']],
  ['TLSv1.2', 'ECDSA+SHA512', ['p256', 'p384']],
  ['TLSv1.2', 'ECDSA+SHA512:ECDSA+SHA384:RSA+SHA512', ['rsa', 'p256', 'p384']],
  ['TLSv1.2', 'RSA+SHA256', ['rsa']],
  ['TLSv1.2', 'rsa_pss_rsae_sha384', ['rsa']],
  ['TLSv1.2', 'rsa_pss_pss_sha256', ['rsapss']],
  ['TLSv1.2', 'rsa_pss_pss_sha512:ed25519', ['rsapss', 'ed25519']],
  ['TLSv1.2', 'RSA+SHA1:ECDSA+SHA1', []],
  ['TLSv1.3', 'ECDSA+SHA256', ['p256']],
  ['TLSv1.3', 'ECDSA+SHA384:rsa_pss_rsae_sha256', ['rsa', 'p384']],
  ['TLSv1.3', 'ECDSA+SHA512:RSA+SHA256', ['p521']],
  ['TLSv1.3', 'rsa_pss_pss_sha256:ed25519', ['rsapss', 'ed25519']],
])('over %s, a server that lists %s', (tls, list, kinds) => {
  const exceptions = tls === 'TLSv1.2' && list.includes('ECDSA') && kinds.length > 0 ? curveRefused : {};
  const level = list.includes('SHA1') ? '@SECLEVEL=0' : '@SECLEVEL=1';

  test('is shown the identities that fit, by openssl s_server', async () => {
    const args = ['-client_sigalgs', list, '-cipher', `DEFAULT:${level}`];
    const running = await startOpensslServer({ server, tls, clientCa: pki.ca.cert, args });
    try {
      expect(await getIn(running.port, exceptions)).toEqual(kinds);
    } finally {
      await running.stop();
    }
  });
});

test.each<[Version, Kind[]]>([
  ['TLSv1.2', ['rsa', 'rsapss', 'p256', 'p384', 'ed25519']],
  ['TLSv1.3', ['rsa', 'rsapss', 'p256', 'p384', 'p521', 'ed25519']],
])('openssl s_server with the lists that it has by itself, over %s', async (tls, kinds) => {
  const running = await startOpensslServer({ server, tls, clientCa: pki.ca.cert });
  try {
    expect(await getIn(running.port, tls === 'TLSv1.2' ? curveRefused : {})).toEqual(kinds);
  } finally {
    await running.stop();
  }
});

test('nginx with ClientSignatureAlgorithms', async () => {
  const settings: [Version, string, Kind[]][] = [
    ['TLSv1.2', 'ECDSA+SHA384', ['p256', 'p384']],
    ['TLSv1.2', 'rsa_pss_pss_sha256', ['rsapss']],
    ['TLSv1.3', 'ECDSA+SHA384', ['p384']],
  ];
  const nginx = await startNginx(
    settings.map(([tls, list]) => ({
      server,
      tls,
      clientCa: pki.ca.cert,
      opensslCommand: `ClientSignatureAlgorithms ${list}`,
    })),
  );
  try {
    for (const [i, [tls, list, kinds]] of settings.entries()) {
      const found: Kind[] = [];
      for (const kind of KINDS) if ((await outcome(nginx.ports[i] ?? 0, kind)) === 'in') found.push(kind);
      expect([tls, list, found]).toEqual([tls, list, kinds]);
    }
  } finally {
    await nginx.stop();
  }
});

// GnuTLS has one list for both sides: its own key must sign by one of them.
test.each<[Version, list: string, kinds: Kind[]]>([
  ['TLSv1.2', '+SIGN-ECDSA-SHA384', ['p256', 'p384', 'p521']],
  ['TLSv1.2', '+SIGN-ECDSA-SHA256:+SIGN-RSA-PSS-SHA256', ['rsapss', 'p256', 'p384', 'p521']],
  ['TLSv1.2', '+SIGN-ECDSA-SHA256:+SIGN-RSA-PSS-RSAE-SHA512', ['rsa', 'p256', 'p384', 'p521']],
  ['TLSv1.3', '+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-RSA-PSS-SHA256', ['rsapss', 'p256']],
])('gnutls-serv over %s with %s', async (tls, list, kinds) => {
  const version = tls === 'TLSv1.2' ? '1.2' : '1.3';
  const priority = `NORMAL:-VERS-ALL:+VERS-TLS${version}:-SIGN-ALL:${list}`;
  const running = await startGnutlsServer({ server, clientCa: pki.ca.cert, priority });
  try {
    expect(await getIn(running.port)).toEqual(kinds);
  } finally {
    await running.stop();
  }
});

test.each<[Version, list: string, kinds: Kind[]]>([
  ['TLSv1.2', 'RSA+SHA256:ECDSA+SHA384', ['rsa', 'p256', 'p384']],
  ['TLSv1.2', 'RSA+SHA256:rsa_pss_pss_sha256', ['rsa', 'rsapss']],
  ['TLSv1.3', 'rsa_pss_rsae_sha256:ECDSA+SHA384', ['rsa', 'p384']],
])('Node over %s with %s', async (tls, sigalgs, kinds) => {
  const limits = { minVersion: tls, maxVersion: tls, requestCert: true, rejectUnauthorized: true };
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
  const node = createServer({ ...rsaServer, ca: pki.ca.cert, sigalgs, ...limits }, socket =>
    socket.on('error', () => {}).once('data', () => socket.end(answer)),
  ).listen(0, '127.0.0.1');
  node.on('tlsClientError', () => {});
  await once(node, 'listening');
  try {
    const exceptions = tls === 'TLSv1.2' && sigalgs.includes('ECDSA') ? curveRefused : {};
    expect(await getIn((node.address() as AddressInfo).port, exceptions)).toEqual(kinds);
  } finally {
    node.close();
  }
});

describe.each<[ServerKind, Record<Version, Kind[]>]>([
  [
    go,
    {
      'TLSv1.2': ['rsa', 'p256', 'p384', 'p521', 'ed25519'],
      'TLSv1.3': ['rsa', 'p256', 'p384', 'p521', 'ed25519'],
    },
  ],
  [
    java,
    {
      'TLSv1.2': ['rsa', 'rsapss', 'p256', 'p384', 'p521', 'ed25519'],
      'TLSv1.3': ['rsa', 'rsapss', 'p256', 'p384', 'p521', 'ed25519'],
    },
  ],
])('$name with the lists that it has', (kind, expected) => {
  test('is shown the identities that fit', { timeout: START_TIMEOUT_MS }, async () => {
    const versions = ['TLSv1.2', 'TLSv1.3'] as const;
    const common = {
      clientAuth: 'required',
      http: 'http/1.1',
      serverKey: 'p256',
      clientCa: pki.ca.cert,
    } as const;
    const running = await kind.start(
      versions.map(tls => ({ ...common, tls, server })),
      0,
    );
    try {
      for (const [i, tls] of versions.entries())
        expect([tls, await getIn(running.ports[i] ?? 0)]).toEqual([tls, expected[tls]]);
    } finally {
      await running.stop();
    }
  });
});
