import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MtlsClient } from '../../src/index.js';
import type { Relay } from '../../src/relay/index.js';
import { clientOf, codeOf, insistOn, startRelay, withClient } from '../support/client.js';
import { type NodeServer, sha256, startPlainServer } from '../support/node-server.js';
import { type KeyPair, OpensslPki } from '../support/openssl-pki.js';
import { serverKinds } from '../support/servers/index.js';
import type { RunningServers, ServerKind, Setting } from '../support/servers/types.js';

const KEYS = ['rsa', 'p256'] as const;
/** A server's build or start may be slow. */
const START_TIMEOUT_MS = 6 * 60_000;

const pki = new OpensslPki('Test CA');
const otherPki = new OpensslPki('Other CA');
const stranger = otherPki.issue({ subject: '/CN=Client stranger', usage: 'clientAuth' });
const serverPairs = new Map(
  KEYS.map(kind => [
    kind,
    pki.issue({ subject: '/CN=localhost', kind, altNames: 'DNS:localhost', usage: 'serverAuth' }),
  ]),
);
const body = randomBytes(256 * 1024);
const clients = new Map<string, MtlsClient>();
const results: { server: string; passed: boolean }[] = [];
let relay: Relay;
let backend: NodeServer;

beforeAll(async () => {
  relay = await startRelay();
  backend = await startPlainServer();
  for (const kind of KEYS) {
    const pair = pki.issue({ subject: `/CN=Client ${kind}`, kind, usage: 'clientAuth' });
    clients.set(kind, await clientOf({ relay, ca: pki.ca.cert, identities: [pair] }));
  }
  clients.set('none', await clientOf({ relay, ca: pki.ca.cert }));
});

afterAll(async () => {
  printFigures();
  for (const client of clients.values()) await client.close();
  await relay?.close();
  await backend?.stop();
  pki.close();
  otherPki.close();
});

for (const kind of serverKinds) {
  const settings = settingsOf(kind);
  describe(kind.name, () => {
    let servers: RunningServers;

    beforeAll(async () => {
      servers = await kind.start(settings, backend.port);
    }, START_TIMEOUT_MS);

    afterAll(async () => {
      await servers?.stop();
    });

    const urlOf = (index: number, path: string) => `https://localhost:${servers.ports[index]}${path}`;

    describe.each(settings.map((it, index) => [nameOf(it), it, index] as const))('%s', (_, it, index) => {
      const counted = (name: string, run: () => Promise<void>) =>
        test(name, async () => {
          const result = { server: kind.name, passed: false };
          results.push(result);
          await run();
          result.passed = true;
        });

      for (const clientKey of KEYS) {
        counted(`knows the client by its ${clientKey} certificate, and takes a body`, async () => {
          const client = clientWith(clientKey);
          const response = await client.fetch(urlOf(index, '/'));
          expect(response.status).toBe(200);
          expect(await response.text()).toContain(`Client ${clientKey}`);
          expect(client.connectionInfo(response)).toMatchObject({
            protocol: it.http,
            tlsVersion: it.tls,
            clientCertificateRequested: true,
          });
          if (!kind.sumPath) return;
          const summed = await client.fetch(urlOf(index, kind.sumPath), { method: 'POST', body });
          expect(await summed.json()).toEqual({ length: body.length, sha256: sha256(body) });
        });
      }

      if (it.clientAuth === 'optional') {
        counted('takes a client without a certificate', async () => {
          const response = await clientWith('none').fetch(urlOf(index, '/'));
          expect(response.status).toBe(200);
          expect(await response.text()).not.toContain('Client rsa');
        });
        return;
      }

      counted('demands a certificate', async () => {
        expect(await codeOf(clientWith('none').fetch(urlOf(index, '/')))).toBe(
          'ERR_TLS_CLIENT_CERT_REQUIRED',
        );
      });

      counted('refuses a certificate of another authority', async () => {
        const onChallenge = await insistOn(stranger);
        await withClient({ relay, ca: pki.ca.cert, onChallenge }, async client => {
          expect(await codeOf(client.fetch(urlOf(index, '/')))).toBe('ERR_TLS_CLIENT_CERT_REJECTED');
        });
      });
    });
  });
}

function settingsOf({ http }: ServerKind): Setting[] {
  const settings: Setting[] = [];
  for (const tls of ['TLSv1.3', 'TLSv1.2'] as const) {
    for (const protocol of http) {
      for (const clientAuth of ['required', 'optional'] as const) {
        for (const serverKey of KEYS) {
          const server = serverPairs.get(serverKey) as KeyPair;
          settings.push({ tls, clientAuth, http: protocol, serverKey, server, clientCa: pki.ca.cert });
        }
      }
    }
  }
  return settings;
}

function nameOf({ tls, http, serverKey, clientAuth }: Setting): string {
  return `${tls}, ${http}, server ${serverKey}, certificate ${clientAuth}`;
}

function clientWith(kind: string): MtlsClient {
  const client = clients.get(kind);
  if (!client) throw new Error(`no client with a ${kind} key`);
  return client;
}

function printFigures(): void {
  for (const { name } of serverKinds) {
    const own = results.filter(({ server }) => server === name);
    console.log(`${name}: ${own.filter(({ passed }) => passed).length} of ${own.length}`);
  }
  const passed = results.filter(it => it.passed).length;
  console.log(`servers x settings: ${passed} of ${results.length} pass`);
}
