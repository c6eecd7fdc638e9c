import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../src/relay/index.js';
import { startRelay, withClient } from '../support/client.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startApache } from '../support/servers/apache.js';
import type { RunningServers } from '../support/servers/types.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({
  subject: '/CN=localhost',
  kind: 'rsa',
  altNames: 'DNS:localhost',
  usage: 'serverAuth',
});
const identities = [pki.issue({ subject: '/CN=Client', usage: 'clientAuth' })];
/** WebCrypto has the records of the first, the engine those of the second. */
const listeners = [
  ['TLSv1.2', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLSv1.2', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLSv1.3', 'TLS_AES_128_GCM_SHA256'],
] as const;
let relay: Relay;
let apache: RunningServers;

beforeAll(async () => {
  relay = await startRelay();
  // Asks for certificates in one place only, /private.
  apache = await startApache(
    listeners,
    ([tls, suite], { folder }) => `SSLProtocol -all +${tls}
      ${tls === 'TLSv1.2' ? `SSLCipherSuite ${suite}` : ''}
      SSLCertificateFile ${folder.write('server.pem', server.cert)}
      SSLCertificateKeyFile ${folder.write('server.key', server.key)}
      SSLCACertificateFile ${folder.write('ca.pem', pki.ca.cert)}
      DocumentRoot /usr/share
      <Location /private>
        SSLVerifyClient require
      </Location>`,
  );
});

afterAll(async () => {
  await apache?.stop();
  await relay?.close();
  pki.close();
});

test.each(listeners.map(([tls, suite], index) => [tls, suite, index] as const))(
  'Apache, %s, %s: a certificate asked for after the handshake',
  async (tls, _, index) => {
    await withClient({ relay, ca: pki.ca.cert, identities }, async client => {
      const url = `https://localhost:${apache.ports[index]}`;
      const open = await client.fetch(`${url}/nothing`);
      await open.text();
      expect(open.status).toBe(404);
      expect(client.connectionInfo(open)?.tlsVersion).toBe(tls);
      const error = await client.fetch(`${url}/private/`).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'ERR_TLS_RENEGOTIATION',
        cause: { message: expect.stringContaining('SSLVerifyClient in the virtual host') },
      });
    });
  },
);
