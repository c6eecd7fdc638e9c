import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Challenge, Disposition, Identity } from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { Clients } from '../client/support/clients.js';
import { type HttpsServer, startHttps } from '../client/support/https-server.js';

const clients = new Clients();
let pki: OpensslPki;
let ada: Identity;
let server: HttpsServer;

beforeAll(async () => {
  pki = new OpensslPki();
  ada = await identityOf(pki.issue({ subject: '/CN=Ada' }));
  const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  const settings = { ...pair, ca: pki.ca.cert, requestCert: true };
  server = await startHttps(settings, ({ url }, response) => {
    response.write('begun');
    if (url !== '/endless') response.end();
  });
});

afterAll(async () => {
  await clients.close();
  server?.close();
  pki.close();
});

describe('a challenge for a further connection, while another one is busy', () => {
  it.each<[answer: string, answered: () => Disposition, error: object]>([
    ['cancelled', () => ({ disposition: 'cancel' }), { code: 'ERR_TLS_CHALLENGE_CANCELLED' }],
    [
      'answered by a throw',
      () => {
        throw new Error('no dialog');
      },
      { message: 'no dialog' },
    ],
  ])('fails the requests that wait when it is %s', async (_, answered, error) => {
    const answers: (() => Disposition)[] = [
      () => ({ disposition: 'use-credential', credential: { identity: ada, persistence: 'none' } }),
      answered,
    ];
    const client = await clients.make(pki.ca.cert, {
      identities: [ada],
      onChallenge: ({ method }: Challenge) =>
        method === 'server-trust' ? { disposition: 'default' } : (answers.shift() ?? answered)(),
    });
    const endless = await client.fetch(`${server.url}endless`);
    await expect(client.fetch(server.url)).rejects.toMatchObject(error);
    await endless.body?.cancel();
  });
});
