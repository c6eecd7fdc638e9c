import { afterEach, expect, it, vi } from 'vitest';
import { Instance } from '../../../src/engine/instance.js';
import { openPkcs12 } from '../../../src/index.js';
import { client, root } from '../../support/cross-signed.js';
import { engineModule } from '../../support/engine.js';
import { commonName, dnsNames, forge } from '../../support/forged-certificates.js';
import { writePkcs12 } from '../../support/pkcs12.js';
import { Clients } from './support/clients.js';
import { startHttps } from './support/https-server.js';

const CONNECTIONS = 5;
const clients = new Clients();

afterEach(() => void vi.restoreAllMocks());
afterEach(() => clients.close());

it('a further connection with a client certificate reads no certificate of its own, and signs once', async () => {
  const [serverRoot, clientRoot] = [root('Server root'), root('Client root')];
  const extensions = [dnsNames(['localhost'])];
  const { cert, key } = forge({ subject: commonName('localhost'), by: serverRoot, extensions });
  const server = await startHttps(
    { cert, key, ca: clientRoot.cert, requestCert: true, rejectUnauthorized: true },
    // The session must not be resumed, and the connection not be used again.
    (_, response) => response.writeHead(200, { connection: 'close' }).end('ok'),
  );
  const file = writePkcs12(client(clientRoot), { password: 'secret', chain: clientRoot.cert });
  const { identities } = await openPkcs12(file, { password: 'secret', engine: engineModule() });
  const tested = await clients.make(serverRoot.cert, { identities });
  const connect = async () => {
    await tested.forget();
    expect(await (await tested.fetch(server.url)).text()).toBe('ok');
  };
  for (let i = 0; i < 2; i++) await connect();
  const calls = vi.spyOn(Instance.prototype, 'call');
  const signatures = vi.spyOn(crypto.subtle, 'sign');
  for (let i = 0; i < CONNECTIONS; i++) await connect();
  const count = (name: string) => calls.mock.calls.filter(it => it[0] === name).length;
  expect(count('x509_describe')).toBe(0);
  expect(signatures).toHaveBeenCalledTimes(CONNECTIONS);
  server.close();
});
