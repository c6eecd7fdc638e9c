import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { startRelay, withClient } from '../support/client.js';
import { startGnutlsServer } from '../support/gnutls-server.js';
import { type KeyKind, OpensslPki } from '../support/openssl-pki.js';
import { type OpensslServerOptions, startOpensslServer } from '../support/openssl-server.js';

const pki = new OpensslPki('Test CA');
const pairOf = (kind: KeyKind) =>
  pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth', kind });
const clientOfKind = (kind: KeyKind) => pki.issue({ subject: '/CN=Client', usage: 'clientAuth', kind });
let relay: Relay;

beforeAll(async () => {
  relay = await startRelay();
});

afterAll(async () => {
  await relay?.close();
  pki.close();
});

interface Case {
  name: string;
  server: Partial<OpensslServerOptions>;
  serverKey?: KeyKind;
  clientKey?: KeyKind;
  code: string;
  says: RegExp;
}

const common = { code: 'ERR_TLS_ALERT', says: /allow ECDHE with X25519, P-256 or P-384; AES-GCM/ };
const cases: Case[] = [
  {
    name: 'CBC alone',
    server: { tls: 'TLSv1.2', args: ['-cipher', 'ECDHE-ECDSA-AES128-SHA256'] },
    ...common,
  },
  {
    name: 'DHE alone',
    server: { tls: 'TLSv1.2', args: ['-cipher', 'DHE-RSA-AES128-GCM-SHA256'] },
    serverKey: 'rsa',
    ...common,
  },
  { name: 'P-521 alone', server: { tls: 'TLSv1.3', args: ['-groups', 'P-521'] }, ...common },
  { name: 'a key on P-521', server: { tls: 'TLSv1.3' }, serverKey: 'p521', ...common },
  {
    name: 'TLS 1.2, to a client with a key on P-521',
    server: { tls: 'TLSv1.2' },
    clientKey: 'p521',
    code: 'ERR_TLS_CLIENT_CERT_REJECTED',
    says: /its kind of key is not accepted/,
  },
];

/** What fetching the root of a port fails with. */
async function failureAt(
  port: number,
  clientKey: KeyKind | 'none' = 'p256',
): Promise<Error & { code?: string }> {
  const identities = clientKey === 'none' ? [] : [clientOfKind(clientKey)];
  return withClient({ relay, ca: pki.ca.cert, identities }, async client => {
    try {
      const response = await client.fetch(`https://localhost:${port}/`);
      throw new Error(`answered with ${await response.text()}`);
    } catch (error) {
      return (error as TypeError).cause as Error;
    }
  });
}

test.each(cases)('a server with $name says what to do', async ({ server, serverKey = 'p256', ...it }) => {
  const settings = { server: pairOf(serverKey), clientCa: pki.ca.cert, tls: 'TLSv1.3' as const };
  const running = await startOpensslServer({ ...settings, ...server });
  try {
    expect(await failureAt(running.port, it.clientKey)).toMatchObject({
      code: it.code,
      message: expect.stringMatching(it.says),
    });
  } finally {
    await running.stop();
  }
});

test.each(['1.2', '1.3'])('GnuTLS that misses a certificate in TLS %s says so', async version => {
  const running = await startGnutlsServer({
    server: pairOf('p256'),
    clientCa: pki.ca.cert,
    priority: `NORMAL:-VERS-ALL:+VERS-TLS${version}`,
  });
  try {
    expect(await failureAt(running.port, 'none')).toMatchObject({ code: 'ERR_TLS_CLIENT_CERT_REQUIRED' });
  } finally {
    await running.stop();
  }
});

test('a port without TLS says so', async () => {
  const server = createServer((_, response) => response.end('plain')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const error = await failureAt((server.address() as AddressInfo).port);
    expect(error).toMatchObject({ code: 'ERR_TLS_PROTOCOL', message: expect.stringContaining('not TLS') });
  } finally {
    server.close();
  }
});

test('a server that ends the connection at once, and properly, is told as one that refuses the certificate', async () => {
  const server = createTlsServer(
    { ...pairOf('p256'), ca: pki.ca.cert, requestCert: true, rejectUnauthorized: false },
    socket => socket.on('error', () => {}).end(),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const error = await failureAt((server.address() as AddressInfo).port);
    expect(error).toMatchObject({
      code: 'ERR_TLS_CLIENT_CERT_REJECTED',
      message: expect.stringContaining('hung up right after it was sent the client certificate'),
    });
  } finally {
    server.close();
  }
});
