import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Instance } from '../../../src/engine/instance.js';
import { TlsConnection } from '../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../src/tls/tls-engine.js';
import type { TlsConnectOptions } from '../../../src/tls/types.js';
import { engineModule } from '../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { dialTcp } from '../../support/tcp-tunnel.js';

let pki: OpensslPki;
let ecdsa: KeyPair;
let rsa: KeyPair;
const servers: Server[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  const names = { subject: '/CN=localhost', altNames: 'DNS:localhost,IP:127.0.0.1' };
  ecdsa = pki.issue(names);
  rsa = pki.issue({ ...names, kind: 'rsa' });
});

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => pki.close());

/** Connects to a server of its own; tells what the server saw. */
async function visit(settings: TlsOptions, options: Partial<TlsConnectOptions> = {}) {
  let seen: TLSSocket | undefined;
  const server = createServer({ ...ecdsa, ...settings }, socket => {
    seen = socket;
    socket.on('error', () => {});
    socket.end('hello');
  });
  server.on('tlsClientError', () => {});
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const engine = await TlsEngine.create(engineModule(), { anchors: [certificateDer(pki.ca.cert)] });
  const connection = await TlsConnection.connect(engine, dialTcp((server.address() as AddressInfo).port), {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => undefined,
    ...options,
  });
  // What the server sees is complete when it has sent its first data.
  await connection.readable.getReader().read();
  await connection.writable.close();
  return { info: connection.info, serverName: (seen as { servername?: string | false }).servername };
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', version => {
  const only = { minVersion: version, maxVersion: version };

  it('a host is named to the server, an IP address is not (RFC 6066 section 3)', async () => {
    expect((await visit(only)).serverName).toBe('localhost');
    expect((await visit(only, { hostname: '127.0.0.1' })).serverName).toBe(false);
  });

  it('the first protocol of the server that is offered is spoken, and none without an offer', async () => {
    const settings = { ...only, ALPNProtocols: ['http/1.1', 'h2'] };
    expect((await visit(settings, { alpn: ['h2', 'http/1.1'] })).info.alpn).toBe('http/1.1');
    expect((await visit(settings)).info.alpn ?? '').toBe('');
  });

  it('a server that speaks none of the protocols may say so', async () => {
    const visiting = visit({ ...only, ALPNProtocols: ['imap'] }, { alpn: ['h2'] });
    await expect(visiting).rejects.toMatchObject({ code: 'ERR_TLS_ALERT' });
  });
});

it('the memory is copied once for a handshake that asks nothing: for the words of the server', async () => {
  const calls = vi.spyOn(Instance.prototype, 'call');
  await visit({});
  // Each copy has room made before it.
  expect(calls.mock.calls.filter(([name]) => name === 'mtls_reserve')).toHaveLength(1);
  calls.mockRestore();
});

describe('what is outdated is not offered', () => {
  // The server would take them: its security level is lowered.
  it.each([
    ['CBC', { ciphers: 'ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0', maxVersion: 'TLSv1.2' }],
    ['CBC with SHA-256', { ciphers: 'ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0', maxVersion: 'TLSv1.2' }],
    ['TLS 1.1', { ciphers: 'ALL:@SECLEVEL=0', minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }],
  ] as [string, TlsOptions][])('%s', async (_, settings) => {
    await expect(visit(settings)).rejects.toMatchObject({ code: 'ERR_TLS_ALERT' });
  });

  it.each([
    ['RSA key exchange', 'AES128-GCM-SHA256'],
    ['finite-field Diffie-Hellman', 'DHE-RSA-AES128-GCM-SHA256'],
  ])('%s', async (_, ciphers) => {
    const settings: TlsOptions = { ...rsa, ciphers, maxVersion: 'TLSv1.2', dhparam: 'auto' };
    await expect(visit(settings)).rejects.toMatchObject({ code: 'ERR_TLS_ALERT' });
  });

  it('while the current ones are, with the same servers', async () => {
    const ciphers = (names: string): TlsOptions => ({ ciphers: names, maxVersion: 'TLSv1.2' });
    const current = await visit(ciphers('ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0'));
    expect(current.info.cipherSuite).toBe('TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256');
    const forRsa = await visit({ ...rsa, ...ciphers('AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256') });
    expect(forRsa.info.cipherSuite).toBe('TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256');
  });
});
