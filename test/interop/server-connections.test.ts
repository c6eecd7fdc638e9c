import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, codeOf, startRelay } from '../support/client.js';
import { type NodeServer, startPlainServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { serverKinds } from '../support/servers/index.js';
import { protocolsOf } from '../support/servers/settings.js';
import type { RunningServers } from '../support/servers/types.js';

const KIB = 1024;
/** A server's build or start may be slow. */
const START_TIMEOUT_MS = 6 * 60_000;
/** Some servers look only every few seconds for what is idle. */
const MOST_IDLE_MS = 40_000;

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
let relay: Relay;
let backend: NodeServer;
let client: MtlsClient;

beforeAll(async () => {
  relay = await startRelay();
  backend = await startPlainServer();
});

afterEach(() => client?.close());

afterAll(async () => {
  await relay?.close();
  await backend?.stop();
  pki.close();
});

for (const kind of serverKinds) {
  const { sumPath } = kind;
  // `openssl s_server` ends each connection, and its heads are always small.
  if (!sumPath) continue;
  describe(kind.name, () => {
    let servers: RunningServers;

    beforeAll(async () => {
      const settings = protocolsOf(kind, { server, clientCa: pki.ca.cert, idleSeconds: 1 });
      servers = await kind.start(settings, backend.port);
    }, START_TIMEOUT_MS);

    afterAll(async () => {
      await servers?.stop();
    });

    describe.each(kind.http.map((http, index) => [http, index] as const))('%s', (http, index) => {
      const open = async () => {
        client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
        await until(() => relay.streams === 0);
      };
      const urlOf = (name: string) =>
        `https://localhost:${servers.ports[index]}${sumPath.replace(/sum$/, name)}`;

      const most = kind.mostHeadBytes?.[http] ?? 256 * KIB;
      const tooLong = (most < 256 * KIB && kind.longHeadCode) || 'ERR_HTTP_HEADERS_TOO_LARGE';

      test.each([16 * KIB, 60 * KIB, 250 * KIB, 300 * KIB])(
        'sends a head of %i bytes, and goes on',
        async size => {
          await open();
          const fetching = client.fetch(urlOf(`head?size=${size}`));
          if (size > most) {
            expect(await codeOf(fetching)).toBe(tooLong);
          } else {
            const response = await fetching;
            const bytes = [...response.headers]
              .filter(([name]) => name.startsWith('x-part-'))
              .reduce((sum, [, value]) => sum + value.length, 0);
            expect(bytes).toBe(Math.ceil(size / 4_000) * 4_000);
            expect(await response.text()).toBe('ok');
          }
          expect(await (await client.fetch(urlOf('head?size=1'))).text()).toBe('ok');
        },
      );

      test(
        'ends an idle connection, and gets the next POST over another',
        async () => {
          await open();
          for (let round = 0; round < 2; round++) {
            const response = await client.fetch(urlOf('sum'), { method: 'POST', body: 'once' });
            expect(await response.json()).toMatchObject({ length: 4 });
            expect(relay.streams).toBe(1);
            await until(() => relay.streams === 0);
          }
        },
        2 * MOST_IDLE_MS,
      );
    });
  });
}

async function until(holds: () => boolean): Promise<void> {
  for (const endMs = performance.now() + MOST_IDLE_MS; !holds(); await delay(20)) {
    if (performance.now() > endMs) throw new Error(`${relay.streams} streams are left`);
  }
}
