import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { startRelay, withClient } from '../support/client.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { OpensslPki } from '../support/openssl-pki.js';

const REQUESTS = 100;
const pki = new OpensslPki();
const identity = pki.issue({ subject: '/CN=Busy', usage: 'clientAuth' });
let relay: Relay;
let nginx: Nginx;

beforeAll(async () => {
  relay = await startRelay();
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  nginx = await startNginx(
    [true, false].map(http2 => ({
      server,
      tls: 'TLSv1.3',
      http2,
      clientCa: pki.ca.cert,
      requestsPerConnection: 20,
    })),
  );
});

afterAll(async () => {
  await nginx?.stop();
  await relay?.close();
  pki.close();
});

test.each([
  ['h2', 0],
  ['http/1.1', 1],
])('a server that ends each %s connection after 20 requests answers 100 at once', async (_name, index) => {
  await withClient({ relay, ca: pki.ca.cert, identities: [identity] }, async client => {
    const url = `https://localhost:${nginx.ports[index]}/`;
    const statuses = await Promise.all(
      Array.from({ length: REQUESTS }, async () => {
        const response = await client.fetch(url);
        expect(await response.text()).toContain('CN=Busy');
        return response.status;
      }),
    );
    expect(statuses).toEqual(Array.from({ length: REQUESTS }, () => 200));
  });
});
