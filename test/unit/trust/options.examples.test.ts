import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createClient, evaluateTrust, type TrustOptions } from '../../../src/index.js';
import { codeOf } from '../../support/client.js';
import { blockOf, documented } from '../../support/documented.js';
import { engineModule } from '../../support/engine.js';
import { startNodeServer } from '../../support/node-server.js';
import type { KeyPair } from '../../support/openssl-pki.js';
import { tcpTunnel } from '../../support/tcp-tunnel.js';
import { CA, daysFromNow, pinOf, SERVER, TrustPki } from '../../support/trust-pki.js';

type Known = Record<
  'authority' | 'revoked' | 'service' | 'device' | 'serviceKey' | 'backupKey' | 'deviceKey',
  string
>;

interface Example {
  knownServers(known: Known): TrustOptions;
}

const pki = new TrustPki();
const authority = pki.issue({ subject: '/CN=Authority', extensions: CA });
const forServer = {
  by: authority,
  subject: '/CN=Service',
  extensions: [...SERVER, 'subjectAltName=DNS:localhost'],
};
const service = pki.issue(forServer);
const backup = pki.issue(forServer);
const device = pki.issue({ subject: '/CN=Device' });
afterAll(() => pki.close());

it('the openssl command of the documentation prints the pin of a certificate', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-pin-'));
  try {
    writeFileSync(join(folder, 'server.pem'), service.cert);
    const command = blockOf('docs/trust.md', ({ language }) => language === 'sh');
    const printed = execFileSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' });
    const { chain } = await evaluateTrust(service.cert, { anchors: authority.cert, engine: engineModule() });
    expect(chain[0]?.subject).toBe('CN=Service');
    expect(printed.trim()).toBe(chain[0]?.spkiPin);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('the example lets the service and the device in, and nobody else', async () => {
  const { knownServers } = await documented<Example>('docs/trust.md', 'knownServers');
  const servers = await Promise.all(
    [
      service,
      device,
      pki.issue(forServer),
      pki.issue({ ...forServer, keyPem: backup.key, dates: [daysFromNow(-1), daysFromNow(99)] }),
    ].map(serve),
  );
  const [first, second, otherKey, longLived] = servers.map(it => it.port);
  const outcomes = async (revoked: KeyPair[]) => {
    const trust = (port: number | undefined, devicePort = second) =>
      knownServers({
        authority: authority.cert,
        revoked: pki.crl(authority, revoked),
        service: `localhost:${port}`,
        device: `localhost:${devicePort}`,
        serviceKey: pinOf(service.cert),
        backupKey: pinOf(backup.cert),
        deviceKey: pinOf(device.cert),
      });
    const fetched = async (port: number | undefined) => {
      const client = await createClient({
        tunnel: tcpTunnel,
        engine: engineModule(),
        trust: trust(port === second ? first : port),
      });
      const code = await codeOf(client.fetch(`https://localhost:${port}/`));
      await client.close();
      return code;
    };
    return Promise.all([first, second, otherKey, longLived].map(fetched));
  };
  try {
    expect(await outcomes([])).toEqual(['no error', 'no error', 'ERR_TLS_PIN', 'ERR_TLS_CERT_UNTRUSTED']);
    expect((await outcomes([service]))[0]).toBe('ERR_TLS_CERT_REVOKED');
  } finally {
    await Promise.all(servers.map(it => it.stop()));
  }
});

function serve(server: KeyPair) {
  return startNodeServer({ server, clientCa: authority.cert, requireClient: false });
}
