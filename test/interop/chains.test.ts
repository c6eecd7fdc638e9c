import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { createClient, type Identity, type MtlsClient, openPkcs12 } from '../../src/index.js';
import { startRelay } from '../support/client.js';
import { CLIENT, crossSigned, root } from '../support/cross-signed.js';
import { engineModule } from '../support/engine.js';
import {
  AUTHORITY,
  commonName,
  dnsNames,
  type Forged,
  forge,
  StringTag,
} from '../support/forged-certificates.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { type OpensslServer, startOpensslServer } from '../support/openssl-server.js';
import { writePkcs12 } from '../support/pkcs12.js';

const { printable, bmp } = StringTag;
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** The server's chain has its names in several encodings, too. */
const serverRoot = forge({ subject: commonName('Field Root', printable), extensions: AUTHORITY });
const serverSub = forge({
  subject: commonName('Field Sub', printable),
  issuer: commonName('field ROOT ', bmp),
  by: serverRoot,
  extensions: AUTHORITY,
});
const leaf = forge({
  subject: commonName('localhost'),
  issuer: commonName('FIELD  sub'),
  by: serverSub,
  extensions: [dnsNames(['localhost'])],
});
const server = { cert: leaf.cert + serverSub.cert, key: leaf.key };

const [a, b] = [root('Root A'), root('Root B')];
const cross = crossSigned([a, b]);
const mixed = forge({
  subject: commonName('Ada'),
  issuer: commonName('FIELD  sub'),
  by: serverSub,
  extensions: CLIENT,
});

let relay: Relay;
let nginx: Nginx;
const openssl: OpensslServer[] = [];
const accepted: Forged[] = [a, b, serverRoot];

beforeAll(async () => {
  relay = await startRelay();
  const cases = VERSIONS.flatMap(tls => accepted.map(({ cert: clientCa }) => ({ server, tls, clientCa })));
  nginx = await startNginx(cases);
  for (const it of cases) openssl.push(await startOpensslServer(it));
}, 60_000);

afterAll(async () => {
  await relay?.close();
  await nginx?.stop();
  await Promise.all(openssl.map(it => it.stop()));
});

async function clientOf(own: Forged, others: Forged[]): Promise<MtlsClient> {
  const file = writePkcs12(own, { password: 'secret', chain: others.map(it => it.cert).join('') });
  const { identities } = await openPkcs12(file, { password: 'secret', engine: engineModule() });
  return createClient({
    tunnel: relay.url,
    identities: identities as Identity[],
    trust: { anchors: serverRoot.cert },
    engine: engineModule(),
  });
}

describe.each(VERSIONS.map((tls, at) => [tls, at * accepted.length] as const))('over %s', (_, first) => {
  test('a cross-signed identity is known to the servers of both roots', async () => {
    const client = await clientOf(cross.client, cross.authorities);
    for (const at of [first, first + 1]) {
      const response = await client.fetch(`https://localhost:${nginx.ports[at]}/`);
      expect(await response.json()).toMatchObject({ subject: 'CN=Ada', verify: 'SUCCESS' });
      const page = await (await client.fetch(`https://localhost:${openssl[at]?.port}/`)).text();
      expect(page).toContain('Verify return code: 0 (ok)');
    }
    await client.close();
  });

  test('an identity is known to its issuer’s servers although their names are encoded otherwise', async () => {
    const client = await clientOf(mixed, [serverSub]);
    const response = await client.fetch(`https://localhost:${nginx.ports[first + 2]}/`);
    expect(await response.json()).toMatchObject({ subject: 'CN=Ada', verify: 'SUCCESS' });
    const page = await (await client.fetch(`https://localhost:${openssl[first + 2]?.port}/`)).text();
    expect(page).toContain('Verify return code: 0 (ok)');
    await client.close();
  });
});
