import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient, openPkcs12 } from '../../src/index.js';
import type { Relay } from '../../src/relay/index.js';
import { startRelay } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslFiles } from '../support/openssl-files.js';
import { OpensslPki } from '../support/openssl-pki.js';

const files = new OpensslFiles();
const pki = new OpensslPki();
let server: NodeServer;
let relay: Relay;

beforeAll(async () => {
  const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  const clientCa = ['root', 'intermediate'].map(name => Buffer.from(files.read(`${name}.pem`)).toString());
  server = await startNodeServer({ server: pair, clientCa: clientCa.join(''), http2: true });
  relay = await startRelay();
});
afterAll(async () => {
  await relay?.close();
  await server?.stop();
  files.close();
  pki.close();
});

it.each(['rsapss', 'ed25519', 'p521', 'rsa4096'] as const)(
  'a client certificate with %s is accepted',
  async key => {
    const file = files.export(files.client(key));
    const { identities } = await openPkcs12(file, { password: 'secret', engine: engineModule() });
    const client = await createClient({
      tunnel: relay.url,
      identities,
      trust: { anchors: [pki.ca.cert] },
      engine: engineModule(),
    });
    try {
      const response = await client.fetch(`https://localhost:${server.port}/`);
      expect(response.status).toBe(200);
      expect(await response.text()).toContain(`client-${key}`);
    } finally {
      await client.close();
    }
  },
);
