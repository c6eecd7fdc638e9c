import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { identityOf, startRelay, type TestClientOptions, withClient } from '../support/client.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { OpensslPki } from '../support/openssl-pki.js';

const pki = new OpensslPki();
const otherPki = new OpensslPki('Other CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const issue = (name: string, usage: 'clientAuth' | 'serverAuth' = 'clientAuth') =>
  pki.issue({ subject: `/CN=${name}`, usage });
const expired = pki.issue({ subject: '/CN=Late', usage: 'clientAuth', days: [-3, -1] });
const stranger = otherPki.issue({ subject: '/CN=Stranger', usage: 'clientAuth' });
let relay: Relay;
let nginx: Nginx;

/** Shorter than a person takes. */
const NGINX_PATIENCE_SECONDS = 1;
const PERSON_MS = 2_500;

beforeAll(async () => {
  relay = await startRelay();
  nginx = await startNginx(
    (['TLSv1.2', 'TLSv1.3'] as const).map(tls => ({
      server,
      tls,
      http2: tls === 'TLSv1.3',
      clientCa: pki.ca.cert,
      handshakeTimeoutSeconds: NGINX_PATIENCE_SECONDS,
    })),
  );
});
afterAll(async () => {
  await nginx.stop();
  await relay.close();
  pki.close();
  otherPki.close();
});

const urlOf = (index: number) => `https://localhost:${nginx.ports[index]}/`;

describe.each(['TLSv1.2', 'TLSv1.3'].map((tls, index) => ({ tls, index })))(
  'nginx with $tls',
  ({ index }) => {
    const ask = (options: Partial<TestClientOptions>) =>
      withClient({ relay, ca: pki.ca.cert, ...options }, async client => {
        const response = await client.fetch(urlOf(index));
        return (await response.json()).subject as string;
      });

    it.each([
      ['there is none', [], /there is no identity/],
      ['there are several', [issue('Ada'), issue('Bob')], /2 identities are allowed for localhost:\d+/],
      [
        'its authority is none of the server’s',
        [stranger],
        /certificates of other authorities \(CN=Test CA\)/,
      ],
      ['it has expired', [expired], /does not fit: its certificate has expired/],
      ['it is for servers', [issue('Server', 'serverAuth')], /is not for client authentication/],
    ])('is shown no identity by default, and the error says why: %s', async (_, identities, reason) => {
      await expect(ask({ identities })).rejects.toMatchObject({
        cause: { code: 'ERR_TLS_CLIENT_CERT_REQUIRED', message: expect.stringMatching(reason) },
      });
    });

    it('is shown the one identity that fits, whatever others there are', async () => {
      expect(await ask({ identities: [stranger, expired, issue('Ada')] })).toBe('CN=Ada');
    });

    it('hangs up on a person who takes long, and is connected to again', async () => {
      const identity = await identityOf(issue('Ada'));
      let asked = 0;
      const onChallenge: NonNullable<TestClientOptions['onChallenge']> = async ({ method }) => {
        if (method === 'server-trust') return { disposition: 'default' };
        asked++;
        await delay(PERSON_MS);
        return { disposition: 'use-credential', credential: { identity, persistence: 'none' } };
      };
      expect(await ask({ onChallenge })).toBe('CN=Ada');
      expect(asked).toBe(1);
    });
  },
);
