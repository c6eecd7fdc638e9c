import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRelay, type Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, codeOf, startRelay, withClient } from '../support/client.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { startPlainServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { freePort } from '../support/process.js';

const pki = new OpensslPki('Test CA');
const otherPki = new OpensslPki('Other CA');
const localhost = { subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' as const };
const CASES = [
  ['for another name', pki.issue({ ...localhost, altNames: 'DNS:elsewhere.example' }), 'ERR_TLS_CERT_NAME'],
  ['with the name in its subject only', pki.issue({ ...localhost, altNames: '' }), 'ERR_TLS_CERT_NAME'],
  ['that has expired', pki.issue({ ...localhost, days: [-30, -2] }), 'ERR_TLS_CERT_EXPIRED'],
  ['that is not valid yet', pki.issue({ ...localhost, days: [2, 30] }), 'ERR_TLS_CERT_NOT_YET_VALID'],
  ['of another CA', otherPki.issue(localhost), 'ERR_TLS_CERT_UNTRUSTED'],
  ['for clients', pki.issue({ ...localhost, usage: 'clientAuth' }), 'ERR_TLS_CERT_PURPOSE'],
] as const;
const VERSIONS = ['TLSv1.3', 'TLSv1.2'] as const;

let relay: Relay;
let nginx: Nginx;
let client: MtlsClient;

beforeAll(async () => {
  relay = await startRelay();
  nginx = await startNginx(
    CASES.flatMap(([, server]) => VERSIONS.map(tls => ({ server, tls, http2: true, clientCa: pki.ca.cert }))),
  );
  const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
  client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
});

afterAll(async () => {
  await client?.close();
  await relay?.close();
  await nginx?.stop();
  pki.close();
  otherPki.close();
});

describe.each(VERSIONS)('with %s', tls => {
  test.each(CASES)('a server certificate %s is refused', async (name, _server, code) => {
    const index = CASES.findIndex(it => it[0] === name) * VERSIONS.length + VERSIONS.indexOf(tls);
    expect(await codeOf(client.fetch(`https://localhost:${nginx.ports[index]}/`))).toBe(code);
  });
});

test('fetch rejects as fetch does, with the MtlsError as its cause', async () => {
  const error = await client.fetch(`https://localhost:${nginx.ports[0]}/`).catch((it: unknown) => it);
  expect(error).toBeInstanceOf(TypeError);
  expect(error).toMatchObject({
    code: 'ERR_TLS_CERT_NAME',
    cause: { name: 'MtlsError', code: 'ERR_TLS_CERT_NAME' },
  });
});

test.each([
  [2, /expired on .* UTC\. Renew it, or correct this device's clock, which says 20\d\d-\S+ \S+ UTC\.$/],
  [3, /is not valid before .* UTC\. Correct this device's clock, which says 20\d\d-\S+ \S+ UTC\.$/],
])('the message about dates names the time of this device', async (index, message) => {
  const url = `https://localhost:${nginx.ports[index * VERSIONS.length]}/`;
  await expect(client.fetch(url)).rejects.toThrow(message);
});

describe('on the way there', () => {
  const codeBy = (way: { url: string }) =>
    withClient({ relay: way, ca: pki.ca.cert }, other =>
      codeOf(other.fetch(`https://localhost:${nginx.ports[0]}/`)),
    );

  test('a target that the relay does not allow', async () => {
    const strict = await createRelay({ allow: ['localhost:1'], origins: ['*'] });
    try {
      expect(await codeBy(strict)).toBe('ERR_TUNNEL_DENIED');
    } finally {
      await strict.close();
    }
  });

  test('a port where nothing listens', async () => {
    const port = await freePort();
    expect(await codeOf(client.fetch(`https://localhost:${port}/`))).toBe('ERR_TUNNEL_UNREACHABLE');
  });

  test('a relay that is not there', async () => {
    const gone = await startRelay();
    const { url } = gone;
    await gone.close();
    expect(await codeBy({ url })).toBe('ERR_TUNNEL_UNREACHABLE');
  });

  test('a server that speaks no TLS', async () => {
    const plain = await startPlainServer();
    try {
      expect(await codeOf(client.fetch(`https://localhost:${plain.port}/`))).toBe('ERR_TLS_PROTOCOL');
    } finally {
      await plain.stop();
    }
  });
});
