import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { type NodeServer, patternOf, sha256, startPlainServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { serverKinds } from '../support/servers/index.js';
import { protocolsOf } from '../support/servers/settings.js';
import type { RunningServers } from '../support/servers/types.js';

const MIB = 1 << 20;
/** A server's build or start may be slow. */
const START_TIMEOUT_MS = 6 * 60_000;
/** More than Apache takes on a connection of HTTP/1.1. */
const MANY_REQUESTS = 120;

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
const download = sha256(patternOf(32 * MIB));
const upload = randomBytes(8 * MIB);
let relay: Relay;
let backend: NodeServer;
let client: MtlsClient;

beforeAll(async () => {
  relay = await startRelay();
  backend = await startPlainServer();
  client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
});

afterAll(async () => {
  await client?.close();
  await relay?.close();
  await backend?.stop();
  pki.close();
});

for (const kind of serverKinds) {
  const { sumPath } = kind;
  // `openssl s_server` takes no bodies and ends each connection.
  if (!sumPath) continue;
  describe(kind.name, () => {
    let servers: RunningServers;

    beforeAll(async () => {
      const settings = protocolsOf(kind, { server, clientCa: pki.ca.cert });
      servers = await kind.start(settings, backend.port);
    }, START_TIMEOUT_MS);

    afterAll(async () => {
      await servers?.stop();
    });

    describe.each(kind.http.map((http, index) => [http, index] as const))('%s', (http, index) => {
      const urlOf = (path: string) => `https://localhost:${servers.ports[index]}${path}`;

      test('sends 32 MiB that arrive as they are', async () => {
        const response = await client.fetch(urlOf(sumPath.replace(/sum$/, `bytes?size=${32 * MIB}`)));
        expect(client.connectionInfo(response)).toMatchObject({ protocol: http });
        expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(download);
      });

      test('takes 8 MiB that arrive as they are', async () => {
        const response = await client.fetch(urlOf(sumPath), { method: 'POST', body: upload });
        expect(await response.json()).toEqual({ length: upload.length, sha256: sha256(upload) });
      });

      test('takes 8 MiB in chunks of odd lengths that arrive as they are', async () => {
        let end = 0;
        const body = new ReadableStream({
          pull(controller) {
            if (end === upload.length) return controller.close();
            const start = end;
            end = Math.min(start + 1 + ((start * 7) % 40_009), upload.length);
            controller.enqueue(new Uint8Array(upload.subarray(start, end)));
          },
        });
        const response = await client.fetch(urlOf(sumPath), { method: 'POST', body });
        expect(await response.json()).toEqual({ length: upload.length, sha256: sha256(upload) });
      });

      test(`answers ${MANY_REQUESTS} requests one after the other`, async () => {
        for (let count = 0; count < MANY_REQUESTS; count++) {
          const response = await client.fetch(urlOf('/'));
          expect(response.status).toBe(200);
          expect(await response.text()).toContain('Client');
        }
      });
    });
  });
}
