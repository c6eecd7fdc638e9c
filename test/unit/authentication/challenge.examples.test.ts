import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type ChallengeHandler,
  type ClientCertificateChallenge,
  createClient,
  IdentityStore,
  type StoredIdentity,
} from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import { documented } from '../../support/documented.js';
import { engineModule } from '../../support/engine.js';
import { type NodeServer, startNodeServer } from '../../support/node-server.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { tcpTunnel } from '../../support/tcp-tunnel.js';

interface Dialogs {
  choose(challenge: ClientCertificateChallenge): Promise<StoredIdentity | undefined>;
  trust(host: string, fingerprint: string, problem: string): Promise<boolean>;
}

interface Example {
  asking(dialogs: Dialogs): ChallengeHandler;
}

const pki = new OpensslPki();
let server: NodeServer;

beforeAll(async () => {
  globalThis.indexedDB = new IDBFactory();
  server = await startNodeServer({
    server: pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' }),
    clientCa: pki.ca.cert,
  });
});
afterAll(async () => {
  await server.stop();
  pki.close();
});

it('the example asks about the server and the identity, once for this page and the next', async () => {
  const { asking } = await documented<Example>('docs/challenges.md', 'asking');
  const store = await IdentityStore.open();
  await store.add(await identityOf(pki.issue({ subject: '/CN=Ada' })));
  const asked: string[] = [];
  const dialogs: Dialogs = {
    choose: async ({ candidates, others }) => {
      asked.push(`${candidates.length} candidates, ${others[0]?.message}`);
      return others[0]?.identity;
    },
    trust: async (host, fingerprint, problem) => {
      asked.push(problem);
      return host === `localhost:${server.port}` && /^[0-9a-f]{64}$/.test(fingerprint);
    },
  };
  for (let page = 0; page < 2; page++) {
    const client = await createClient({
      tunnel: tcpTunnel,
      identities: store,
      engine: engineModule(),
      onChallenge: asking(dialogs),
    });
    const response = await client.fetch(`https://localhost:${server.port}/`);
    expect((await response.json()).subject).toBe('Ada');
    await client.close();
  }
  expect(asked).toEqual([
    expect.stringContaining('trust anchors'),
    '0 candidates, no host is set for it (control hosts)',
  ]);
  store.close();
});
