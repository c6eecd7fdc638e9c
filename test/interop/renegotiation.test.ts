import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../src/relay/index.js';
import { startRelay, withClient } from '../support/client.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startProgram } from '../support/process.js';
import { freePorts, ServerFolder, served } from '../support/servers/folder.js';
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
  apache = await startApache();
});

afterAll(async () => {
  await apache?.stop();
  await relay?.close();
  pki.close();
});

/** Asks for certificates in one place only, /private. */
async function startApache(): Promise<RunningServers> {
  const folder = new ServerFolder('apache');
  const file = (name: string, content: string) => folder.write(name, content);
  const ports = await freePorts(listeners.length);
  const hosts = listeners.map(
    ([tls, suite], index) => `Listen 127.0.0.1:${ports[index]} https
      <VirtualHost 127.0.0.1:${ports[index]}>
        SSLEngine on
        SSLProtocol -all +${tls}
        ${tls === 'TLSv1.2' ? `SSLCipherSuite ${suite}` : ''}
        SSLCertificateFile ${file('server.pem', server.cert)}
        SSLCertificateKeyFile ${file('server.key', server.key)}
        SSLCACertificateFile ${file('ca.pem', pki.ca.cert)}
        DocumentRoot /usr/share
        <Location /private>
          SSLVerifyClient require
        </Location>
      </VirtualHost>`,
  );
  const modules = ['mpm_event', 'ssl', 'authz_core'].map(
    name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
  );
  const config = file(
    'apache.conf',
    `ServerRoot ${folder.path}
    ${modules.join('\n')}
    DefaultRuntimeDir ${folder.path}
    PidFile ${folder.path}/pid
    ErrorLog "|/bin/cat"
    User www-data
    Group www-data
    ServerName localhost
    StartServers 1
    SSLSessionCache none
    ${hosts.join('\n')}`,
  );
  return served(startProgram('apache2', ['-f', config, '-DFOREGROUND']), ports, folder);
}

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
