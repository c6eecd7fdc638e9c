import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { type Challenge, createClient, type Disposition, type Identity } from '../../src/index.js';
import { identityOf, startRelay } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { type KeyPair, OpensslPki } from '../support/openssl-pki.js';
import { type OpensslServer, startOpensslServer } from '../support/openssl-server.js';

const pki = new OpensslPki('Test CA');
let server: KeyPair;
let identity: Identity;
let relay: Relay;

beforeAll(async () => {
  server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  identity = await identityOf(pki.issue({ subject: '/CN=Client', usage: 'clientAuth' }));
  relay = await startRelay();
});
afterAll(async () => {
  await relay?.close();
  pki.close();
});

type Answer = (challenge: Challenge) => Disposition | Promise<Disposition>;

const onServer =
  (disposition: 'reject' | 'cancel'): Answer =>
  ({ method }) => ({ disposition: method === 'server-trust' ? disposition : 'default' });
const onCertificate =
  (answer: Answer): Answer =>
  challenge =>
    challenge.method === 'client-certificate' ? answer(challenge) : { disposition: 'default' };
const never = () => new Promise<never>(() => {});

/** Alerts that the server has received, as `openssl s_server -msg` prints them. */
function alertsAt({ log }: OpensslServer): string[] {
  return [...log().matchAll(/<<< .*Alert \[length 0002\], (\w+ \w+)/g)].map(([, alert = '']) => alert);
}

const CANCELLED = ['warning user_canceled', 'warning close_notify'];

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s, openssl s_server reads', tls => {
  test.each<[what: string, answer: Answer, alerts: string[], code: string | undefined]>([
    ['that a page rejects it', onServer('reject'), ['fatal certificate_unknown'], 'ERR_TLS_CERT_UNTRUSTED'],
    ['that a page cancels at its certificate', onServer('cancel'), CANCELLED, 'ERR_TLS_CHALLENGE_CANCELLED'],
    [
      'that a page cancels at the request for a certificate',
      onCertificate(() => ({ disposition: 'cancel' })),
      CANCELLED,
      'ERR_TLS_CHALLENGE_CANCELLED',
    ],
    [
      'that a request is aborted at its certificate',
      ({ method }) => (method === 'server-trust' ? never() : { disposition: 'default' }),
      CANCELLED,
      undefined,
    ],
    [
      'that a request is aborted at the request for a certificate',
      onCertificate(never),
      CANCELLED,
      undefined,
    ],
    [
      'that the handler failed',
      onCertificate(() => {
        throw new RangeError('out of order');
      }),
      ['fatal internal_error'],
      undefined,
    ],
  ])('%s', async (_, onChallenge, alerts, code) => {
    const running = await startOpensslServer({ server, tls, clientCa: pki.ca.cert, args: ['-msg'] });
    const abandon = new AbortController();
    const client = await createClient({
      tunnel: relay.url,
      identities: [identity],
      trust: { anchors: [pki.ca.cert] },
      engine: engineModule(),
      onChallenge: challenge => {
        setTimeout(() => abandon.abort(), 300);
        return onChallenge(challenge);
      },
    });
    try {
      const { signal } = abandon;
      const fetching = client.fetch(`https://localhost:${running.port}/`, { signal });
      await (code ? expect(fetching).rejects.toMatchObject({ code }) : expect(fetching).rejects.toThrow());
      await expect.poll(() => alertsAt(running), { timeout: 10_000 }).toEqual(alerts);
      expect(running.log()).not.toMatch(/reset by peer/i);
    } finally {
      await client.close();
      await running.stop();
    }
  });
});
