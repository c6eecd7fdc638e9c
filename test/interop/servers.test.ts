import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, codeOf, insistOn, startRelay, withClient } from '../support/client.js';
import { type NodeServer, sha256, startPlainServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { serverKinds } from '../support/servers/index.js';
import { KEYS, nameOf, serverPairsOf, settingsOf } from '../support/servers/settings.js';
import type { RunningServers } from '../support/servers/types.js';

/** A server's build or start may be slow. */
const START_TIMEOUT_MS = 6 * 60_000;

const pki = new OpensslPki('Test CA');
const otherPki = new OpensslPki('Other CA');
const stranger = otherPki.issue({ subject: '/CN=Client stranger', usage: 'clientAuth' });
const serverPairs = serverPairsOf(pki);
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
  const settings = settingsOf(kind, { pairs: serverPairs, clientCa: pki.ca.cert });
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
