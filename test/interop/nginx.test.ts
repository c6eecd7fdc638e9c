import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import {
  clientOf,
  codeOf,
  insistOn,
  startRelay,
  type TestClientOptions,
  withClient,
} from '../support/client.js';
import { type Nginx, type NginxServer, startNginx } from '../support/nginx.js';
import { type NodeServer, sha256, startPlainServer } from '../support/node-server.js';
import { type KeyKind, type KeyPair, OpensslPki } from '../support/openssl-pki.js';

const MIB = 1 << 20;
const SERVER_KEYS = ['rsa', 'p256'] as const;
const CLIENT_KEYS = ['rsa', 'p256', 'p384'] as const;

interface Case {
  tls: NginxServer['tls'];
  http2: boolean;
  serverKey: KeyKind;
  /** Its place among the nginx servers. */
  index: number;
}

const CASES: Case[] = [];
for (const tls of ['TLSv1.3', 'TLSv1.2'] as const) {
  for (const http2 of [true, false]) {
    for (const serverKey of SERVER_KEYS) CASES.push({ tls, http2, serverKey, index: CASES.length });
  }
}
const nameOf = ({ tls, http2, serverKey }: Case) =>
  `${tls}, ${http2 ? 'h2' : 'http/1.1'}, server ${serverKey}`;

const file = randomBytes(32 * MIB);
const pki = new OpensslPki('Test CA');
const otherPki = new OpensslPki('Other CA');
const stranger = otherPki.issue({ subject: '/CN=Stranger', usage: 'clientAuth' });
const expired = pki.issue({ subject: '/CN=Late', usage: 'clientAuth', days: [-30, -2] });
let relay: Relay;
let backend: NodeServer;
let nginx: Nginx;
const clients = new Map<string, MtlsClient>();

beforeAll(async () => {
  relay = await startRelay();
  backend = await startPlainServer();
  const servers = new Map(
    SERVER_KEYS.map(kind => [
      kind as KeyKind,
      pki.issue({ subject: '/CN=localhost', kind, altNames: 'DNS:localhost', usage: 'serverAuth' }),
    ]),
  );
  nginx = await startNginx(
    CASES.map(({ tls, http2, serverKey }) => ({
      server: servers.get(serverKey) as KeyPair,
      tls,
      http2,
      clientCa: pki.ca.cert,
    })),
    { files: { 'random.bin': file }, backendPort: backend.port },
  );
  for (const kind of CLIENT_KEYS) {
    const pair = pki.issue({ subject: `/CN=Client ${kind}`, kind, usage: 'clientAuth' });
    clients.set(kind, await clientOf({ relay, ca: pki.ca.cert, identities: [pair] }));
  }
}, 60_000);

afterAll(async () => {
  for (const client of clients.values()) await client.close();
  await relay?.close();
  await nginx?.stop();
  await backend?.stop();
  pki.close();
  otherPki.close();
});

const urlOf = ({ index }: Case, path: string) => `https://localhost:${nginx.ports[index]}${path}`;

function clientWith(kind: string): MtlsClient {
  const client = clients.get(kind);
  if (!client) throw new Error(`no client with a ${kind} key`);
  return client;
}

describe.each(CASES.map(it => [nameOf(it), it] as const))('nginx with %s', (_, it) => {
  test.each(CLIENT_KEYS)('knows the client by its %s certificate', async kind => {
    const response = await clientWith(kind).fetch(urlOf(it, '/'));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      subject: `CN=Client ${kind}`,
      verify: 'SUCCESS',
      tls: it.tls,
      cipher: expect.stringMatching(it.tls === 'TLSv1.3' ? /^TLS_/ : /^ECDHE-/),
      http: it.http2 ? 'HTTP/2.0' : 'HTTP/1.1',
      serverName: 'localhost',
    });
  });

  test('sends 32 MiB that arrive as they are', async () => {
    const response = await clientWith('p256').fetch(urlOf(it, '/files/random.bin'));
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(bytes.length).toBe(file.length);
    expect(sha256(bytes)).toBe(sha256(file));
  });

  test('takes 8 MiB that arrive as they are', async () => {
    const body = randomBytes(8 * MIB);
    const response = await clientWith('rsa').fetch(urlOf(it, '/backend/sum'), { method: 'POST', body });
    expect(await response.json()).toEqual({ length: body.length, sha256: sha256(body) });
  });

  test('takes a stream of unknown length', async () => {
    const chunks = Array.from({ length: 20 }, () => new Uint8Array(randomBytes(50_000)));
    const body = new ReadableStream({
      pull(controller) {
        const chunk = chunks.shift();
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
    });
    const all = Buffer.concat(chunks);
    const init = { method: 'POST', body, duplex: 'half' };
    const response = await clientWith('p256').fetch(urlOf(it, '/backend/sum'), init as RequestInit);
    expect(await response.json()).toEqual({ length: all.length, sha256: sha256(all) });
  });

  // nginx ends the handshake well and says it in HTTP, on a page of its own: the client gives it a code all the same.

  const codeFor = (options: Partial<TestClientOptions>) =>
    withClient({ relay, ca: pki.ca.cert, ...options }, client => codeOf(client.fetch(urlOf(it, '/'))));

  test('refuses a client without a certificate', async () => {
    expect(await codeFor({})).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
  });

  test('refuses a client certificate of another CA', async () => {
    expect(await codeFor({ onChallenge: await insistOn(stranger) })).toBe('ERR_TLS_CLIENT_CERT_REJECTED');
  });

  test('is not shown a client certificate that has expired, unless a handler insists, and then refuses it', async () => {
    expect(await codeFor({ identities: [expired] })).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    expect(await codeFor({ onChallenge: await insistOn(expired) })).toBe('ERR_TLS_CLIENT_CERT_REJECTED');
  });
});
