import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { verifySignature } from '../../../../src/identity/signatures/verify-signature.js';
import { TlsConnection } from '../../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../../src/tls/tls-engine.js';
import type { HandshakeSignature, TlsConnectOptions, TlsSettings } from '../../../../src/tls/types.js';
import type { TunnelStream } from '../../../../src/tunnel/tunnel.js';
import { ALTERED_SUITE, altered } from '../../../support/altered-handshake.js';
import { secretsOf } from '../../../support/attacked-tunnel.js';
import { engineModule } from '../../../support/engine.js';
import {
  AUTHORITY,
  commonName,
  dnsNames,
  type Forged,
  type ForgedOptions,
  forge,
  makeKey,
  spkiOf,
} from '../../../support/forged-certificates.js';
import { certificateDer, type KeyKind, type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { compressed, withoutNull } from '../../../support/producers/by-hand.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';

type Version = 'TLSv1.2' | 'TLSv1.3';

const KINDS = ['rsa', 'rsa1024', 'rsapss', 'p256', 'p384', 'p521', 'ed25519'] as const;
const SERVER_KEY_EXCHANGE = 12;
const CERTIFICATE_VERIFY = 15;

const LOCALHOST = { subject: commonName('localhost'), extensions: [dnsNames(['localhost'])] };

let pki: OpensslPki;
const pairs = new Map<KeyKind, KeyPair>();
const servers: Server[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  for (const kind of KINDS)
    pairs.set(kind, pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', kind }));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => pki.close());

function pairOf(kind: KeyKind): KeyPair {
  const pair = pairs.get(kind);
  if (!pair) throw new Error(`no ${kind}`);
  return pair;
}

async function listen(pair: KeyPair, version: Version) {
  const limits = {
    minVersion: version,
    maxVersion: version,
    ...(version === 'TLSv1.3' && { ciphers: ALTERED_SUITE }),
  };
  const server = createServer({ ...pair, ...limits }, socket => socket.on('error', () => {}).write('hello'));
  const errors: string[] = [];
  server.on('tlsClientError', error => errors.push(String((error as { code?: string }).code)));
  const secrets = secretsOf(server);
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, secrets, errors };
}

function pinsOf(kind: KeyKind) {
  const { publicKey } = new X509Certificate(pairOf(kind).cert);
  return crypto.subtle
    .digest('SHA-256', publicKey.export({ type: 'spki', format: 'der' }))
    .then(digest => ({ sha256: [new Uint8Array(digest)], replacesAnchors: true }));
}

interface Attempt {
  settings?: Partial<TlsSettings>;
  options?: Partial<TlsConnectOptions>;
  alter?: (stream: TunnelStream) => TunnelStream;
}

async function greeting(port: number, { settings, options, alter = it => it }: Attempt): Promise<string> {
  const engine = await TlsEngine.create(engineModule(), {
    anchors: [certificateDer(pki.ca.cert)],
    ...settings,
  });
  const connection = await TlsConnection.connect(engine, alter(dialTcp(port)), {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => undefined,
    verifySignature,
    ...options,
  });
  const { value } = await connection.readable.getReader().read();
  connection.abort(new Error('done'));
  return new TextDecoder().decode(value);
}

/** Changes the last byte of the message with the server's signature, which has a record to itself. */
function withWrongSignature(secrets: Map<string, Buffer>) {
  const signed = [SERVER_KEY_EXCHANGE, CERTIFICATE_VERIFY];
  const alter = (content: Buffer) => [
    signed.includes(content[0] ?? 0) ? withLastByteFlipped(content) : content,
  ];
  return (stream: TunnelStream) => altered(stream, { secrets, alter });
}

function withLastByteFlipped(bytes: Buffer): Buffer {
  const altered = Buffer.from(bytes);
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
  return altered;
}

describe.each<Version>(['TLSv1.2', 'TLSv1.3'])('over %s', version => {
  // In TLS 1.2 rustls does not know a server's rsa_pss_pss, and a key on P-521 asks for a key exchange on P-521.
  const kinds = KINDS.filter(it => version === 'TLSv1.3' || (it !== 'rsapss' && it !== 'p521'));

  it.each(kinds)(
    'a server whose key is pinned in place of anchors may have a key of the kind %s',
    async kind => {
      const { port } = await listen(pairOf(kind), version);
      const pins = await pinsOf(kind);
      expect(await greeting(port, { settings: { anchors: [] }, options: { pins } })).toBe('hello');
    },
  );

  it.each(['rsa1024', 'p256'] as const)('so may one that is trusted by the host: %s', async kind => {
    const { port } = await listen(pairOf(kind), version);
    const settings = { anchors: [], evaluateServers: true };
    const trusting = { evaluateServer: async () => 'trust' as const };
    expect(await greeting(port, { settings, options: trusting })).toBe('hello');
  });

  it.each([false, true])(
    'a short key is told where anchors decide, also when the host is asked: %s',
    async asked => {
      const { port } = await listen(pairOf('rsa1024'), version);
      const options = { evaluateServer: async () => 'as-verified' as const };
      await expect(greeting(port, { settings: { evaluateServers: asked }, options })).rejects.toMatchObject({
        code: 'ERR_TLS_CERT_UNTRUSTED',
        message: expect.stringContaining('RSA-1024'),
      });
    },
  );

  it.each([
    ['p256', false],
    ['rsa', false],
    ['p256', true],
    ['rsa1024', true],
  ] as const)(
    'a wrong signature by a %s key, pinned: %s, is told as that, and by decrypt_error',
    async (kind, pinned) => {
      const { port, secrets, errors } = await listen(pairOf(kind), version);
      const options = pinned ? { pins: await pinsOf(kind) } : {};
      const alter = withWrongSignature(secrets);
      await expect(greeting(port, { options, alter })).rejects.toMatchObject({
        code: 'ERR_TLS_SERVER_SIGNATURE',
        message: expect.stringContaining('did not prove'),
      });
      await expect.poll(() => errors).toEqual(['ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR']);
    },
  );

  it('a platform that does not know the kind of key is told', async () => {
    const { port } = await listen(pairOf('rsa1024'), version);
    const asked: HandshakeSignature[] = [];
    const options = {
      pins: await pinsOf('rsa1024'),
      verifySignature: async (signed: HandshakeSignature) => void asked.push(signed),
    };
    await expect(greeting(port, { options })).rejects.toMatchObject({
      code: 'ERR_TLS_SERVER_SIGNATURE',
      message: expect.stringContaining('cannot verify'),
    });
    expect(asked).toMatchObject([{ version, spki: expect.any(Uint8Array) }]);
  });

  it('an RSA key whose identifier has no NULL is verified, below an authority of the same kind', async () => {
    const authority = forgeRsa({ subject: commonName('Root'), extensions: AUTHORITY });
    const { port } = await listen(forgeRsa({ ...LOCALHOST, by: authority }), version);
    expect(await greeting(port, { settings: { anchors: [authority.der] } })).toBe('hello');
  });
});

describe('a server with a compressed point for its key', () => {
  const authority = forge({ subject: commonName('Root'), extensions: AUTHORITY });
  const server = forgeEc({ ...LOCALHOST, by: authority });

  it('is told where anchors decide', async () => {
    const { port } = await listen(server, 'TLSv1.3');
    await expect(greeting(port, { settings: { anchors: [authority.der] } })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_UNTRUSTED',
      message: expect.stringContaining('compressed points'),
    });
  });

  it('is verified where its key is pinned', async () => {
    const { port } = await listen(server, 'TLSv1.3');
    const digest = await crypto.subtle.digest('SHA-256', server.spki);
    const pins = { sha256: [new Uint8Array(digest)], replacesAnchors: true };
    expect(await greeting(port, { settings: { anchors: [] }, options: { pins } })).toBe('hello');
  });
});

function forgeRsa(options: ForgedOptions): Forged {
  const key = makeKey('rsa');
  return forge({ ...options, key, spki: withoutNull(spkiOf(key)) });
}

function forgeEc(options: ForgedOptions): Forged {
  const key = makeKey('p256');
  return forge({ ...options, key, spki: compressed(spkiOf(key)) });
}
