import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { ALTERED_SUITE, altered } from '../support/altered-handshake.js';
import { secretsOf } from '../support/attacked-tunnel.js';
import { inEachEngine } from '../support/engines/each.js';
import type { BrowserEngine } from '../support/engines/engine.js';
import { type KeyKind, type KeyPair, OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { dialTcp } from '../support/tcp-tunnel.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

type Version = 'TLSv1.2' | 'TLSv1.3';

const names = { subject: '/CN=localhost', altNames: 'DNS:localhost' };
const pki = new OpensslPki('Test CA');
/** A client's key on P-384, which TLS 1.2 lets sign with SHA-256. */
const file = Buffer.from(
  writePkcs12(pki.issue({ subject: '/CN=Client', kind: 'p384', usage: 'clientAuth' }), {
    password: 'secret',
  }),
).toString('base64');
const servers: { close(): void }[] = [];
const devices: { kind: KeyKind; version: Version; port: number; pin: string }[] = [];
let pages: UserPages;
let relay: Relay;
let slowPort: number;
let schemesPort: number;

beforeAll(async () => {
  pages = await startUserPages();
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: ['localhost:*'], origins: [pages.origin] });
  for (const kind of ['rsa1024', 'rsapss', 'p521'] as const) {
    const pair = pki.issue({ ...names, kind });
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      // In TLS 1.2 the other kinds are beyond rustls.
      if (version === 'TLSv1.2' && kind !== 'rsa1024') continue;
      const { port } = await listen(pair, { minVersion: version, maxVersion: version });
      devices.push({ kind, version, port, pin: pinOf(pair) });
    }
  }
  const sigalgs = { sigalgs: 'ECDSA+SHA256', maxVersion: 'TLSv1.2', ...asking() } as const;
  ({ port: schemesPort } = await listen(pki.issue(names), sigalgs));
  slowPort = await listenSlowly();
}, 60_000);

afterAll(async () => {
  await relay?.close();
  for (const server of servers) server.close();
  await pages?.stop();
  pki.close();
});

const asking = (): TlsOptions => ({ ca: pki.ca.cert, requestCert: true, rejectUnauthorized: true });

function pinOf({ cert }: KeyPair): string {
  const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`;
}

async function listen(pair: KeyPair, options: TlsOptions) {
  const server = createHttpsServer({ ...pair, ...options }, (_, response) => void response.end('in'));
  server.on('tlsClientError', () => {});
  const secrets = secretsOf(server);
  return { port: await portOf(server), secrets };
}

async function portOf(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server with a large certificate, whose handshake comes in records of one byte each. */
async function listenSlowly(): Promise<number> {
  const more = Array.from({ length: 150 }, (_, i) => `DNS:${i}.${'x'.repeat(59)}.example`);
  const pair = pki.issue({ ...names, altNames: [names.altNames, ...more].join(',') });
  const options = { ...asking(), minVersion: 'TLSv1.3', ciphers: ALTERED_SUITE } as const;
  const { port, secrets } = await listen(pair, options);
  const proxy = createServer(socket => {
    secrets.clear();
    const alter = (content: Buffer) => [...content].map(byte => Buffer.of(byte));
    const { readable, writable } = altered(dialTcp(port), { secrets, alter });
    const writer = writable.getWriter();
    socket.on('error', () => {});
    socket.on('data', chunk => void writer.write(new Uint8Array(chunk)).catch(() => {}));
    const reader = readable.getReader();
    (async () => {
      for (let read = await reader.read(); !read.done; read = await reader.read()) socket.write(read.value);
      socket.end();
    })().catch(() => {});
  });
  return portOf(proxy);
}

interface Visit {
  port: number;
  pin?: string;
  file?: string;
}

/** What a page gets, and how often its timer ran meanwhile. */
function visit(browser: BrowserEngine, { port, pin, file }: Visit) {
  return browser.run(
    async ({ url, pin, file, relayUrl, anchor }) => {
      const { createClient, openPkcs12 } = globalThis.library;
      const bytes = Uint8Array.from(atob(file), it => it.charCodeAt(0));
      const identities = file ? (await openPkcs12(bytes, { password: 'secret' })).identities : [];
      const trust = pin
        ? { pins: { localhost: { sha256: [pin], replacesAnchors: true as const } } }
        : { anchors: [anchor] };
      const client = await createClient({ tunnel: relayUrl, identities, trust });
      let ticks = 0;
      const timer = setInterval(() => ticks++, 0);
      try {
        const response = await client.fetch(url);
        return { text: await response.text(), ticks };
      } catch (error) {
        return { text: String((error as Error).cause ?? error), ticks };
      } finally {
        clearInterval(timer);
        await client.close();
      }
    },
    {
      url: `https://localhost:${port}/`,
      pin: pin ?? '',
      file: file ?? '',
      relayUrl: relay.url,
      anchor: pki.ca.cert,
    },
  );
}

describe('a page', () => {
  inEachEngine(
    () => pages.origin,
    browser => {
      it('connects to pinned devices whose keys WebCrypto alone verifies', async () => {
        const answers: string[] = [];
        for (const { kind, version, ...device } of devices)
          answers.push(`${kind} ${version} ${(await visit(browser, device)).text}`);
        expect(answers).toEqual(devices.map(({ kind, version }) => `${kind} ${version} in`));
      }, 60_000);

      it('signs with another hash than the curve has in TLS 1.3, where TLS 1.2 asks for that', async () => {
        expect((await visit(browser, { port: schemesPort, file })).text).toBe('in');
      });

      it('goes on while a server says its certificate byte by byte', async () => {
        const { text, ticks } = await visit(browser, { port: slowPort, file });
        expect(text).toBe('in');
        expect(ticks).toBeGreaterThan(3);
      }, 60_000);
    },
  );
});
