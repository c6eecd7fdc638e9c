import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { createClient, type Identity, openPkcs12 } from '../../src/index.js';
import { startRelay } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslFiles } from '../support/openssl-files.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { byHandProduces } from '../support/producers/by-hand.js';

const files = new OpensslFiles();
const pki = new OpensslPki();
const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
const startServer = (clientCa: string) => startNodeServer({ server: pair, clientCa, http2: true });
let server: NodeServer;
let relay: Relay;

beforeAll(async () => {
  const clientCa = ['root', 'intermediate'].map(name => Buffer.from(files.read(`${name}.pem`)).toString());
  server = await startServer(clientCa.join(''));
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
    const { identities } = await open(files.export(files.client(key)));
    expect(await answer(identities, server)).toContain(`client-${key}`);
  },
);

// WebCrypto does not read these as they are; servers get them as they are. (OpenSSL takes no Ed25519 with NULL.)
it.each(byHandProduces().filter(it => /^(?:RSA|EC) certificate/.test(it.name)))(
  'a client certificate is accepted: $name',
  async ({ bytes }) => {
    const { identities } = await open(bytes);
    const own = await startServer(identities[0]?.chain.at(-1)?.pem ?? '');
    try {
      expect(await answer(identities, own)).toContain('odd');
    } finally {
      await own.stop();
    }
  },
);

const open = (file: Uint8Array) =>
  openPkcs12(file as BufferSource, { password: 'secret', engine: engineModule() });

async function answer(identities: Identity[], { port }: NodeServer): Promise<string> {
  const trust = { anchors: [pki.ca.cert] };
  const client = await createClient({ tunnel: relay.url, identities, trust, engine: engineModule() });
  try {
    const response = await client.fetch(`https://localhost:${port}/`);
    expect(response.status).toBe(200);
    return await response.text();
  } finally {
    await client.close();
  }
}
