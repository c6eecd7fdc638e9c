import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Challenge, Identity } from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { Clients } from './support/clients.js';
import { type HttpsServer, startHttps } from './support/https-server.js';

const pki = new OpensslPki();
const clients = new Clients();
const seen: string[] = [];
let ada: Identity;
let server: HttpsServer;

beforeAll(async () => {
  ada = await identityOf(pki.issue({ subject: '/CN=Ada' }));
  const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  const options = { ...pair, ca: pki.ca.cert, requestCert: true, rejectUnauthorized: false };
  server = await startHttps(options, (request, response) => {
    const socket = request.socket as TLSSocket;
    seen.push(`${socket.getPeerCertificate().subject?.CN} ${socket.remotePort}`);
    response.end('ok');
  });
});

afterEach(async () => {
  await clients.close();
  seen.length = 0;
});

afterAll(() => {
  server?.close();
  pki.close();
});

it('asks as a request would, and the request behind it asks no more', async () => {
  const asked: string[] = [];
  const client = await clients.make(pki.ca.cert, {
    identities: [ada],
    onChallenge: (challenge: Challenge) => {
      asked.push(challenge.method);
      return challenge.method === 'client-certificate'
        ? { disposition: 'use-credential', credential: { identity: ada } }
        : { disposition: 'default' };
    },
  });
  await client.preconnect(new URL('some/path', server.url));
  expect(asked).toContain('client-certificate');
  const before = asked.length;
  expect(seen).toEqual([]);
  for (const _ of [1, 2]) await (await client.fetch(server.url)).text();
  expect(asked.length).toBe(before);
  expect(seen[0]).toMatch(/^Ada /);
  expect(new Set(seen).size).toBe(1);
});

it('shows a list of identities to the origin, which the page has asked for itself', async () => {
  const client = await clients.make(pki.ca.cert, { identities: [ada] });
  await client.preconnect(server.url);
  await (await client.fetch(server.url)).text();
  expect(seen).toEqual([expect.stringMatching(/^Ada /)]);
});

it('fails with a code, or as misuse', async () => {
  const client = await clients.make(pki.ca.cert, { trust: { anchors: [] } });
  await expect(client.preconnect(server.url)).rejects.toMatchObject({
    name: 'MtlsError',
    code: 'ERR_TLS_CERT_UNTRUSTED',
  });
  for (const wrong of ['http://localhost/', 'no address', 'https://a:b@localhost/'])
    await expect(client.preconnect(wrong)).rejects.toBeInstanceOf(TypeError);
  await expect(client.preconnect(server.url, { timeout: 1 } as object)).rejects.toThrow(/is not an option/);
  await expect(client.preconnect(server.url, { signal: AbortSignal.abort('no') })).rejects.toBe('no');
  await client.close();
  await expect(client.preconnect(server.url)).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
});
