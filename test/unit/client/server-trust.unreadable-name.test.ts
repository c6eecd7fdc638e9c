import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Certificate, ClientOptions } from '../../../src/index.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { Clients } from './support/clients.js';
import { type HttpsServer, startHttps } from './support/https-server.js';

const clients = new Clients();
let pki: OpensslPki;
let server: HttpsServer;

beforeAll(async () => {
  pki = new OpensslPki();
  const own = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  // Its alternative name is an object identifier without any number.
  const unreadable = pki.issue({ subject: '/CN=Extra', altNames: 'DER:30:02:88:00' });
  server = await startHttps({ key: own.key, cert: own.cert + unreadable.cert }, (_, response) => {
    response.end('ok');
  });
});

afterAll(async () => {
  await clients.close();
  server?.close();
  pki.close();
});

describe('a certificate with a name that cannot be read, in the chain of a server that is trusted', () => {
  const seen: Certificate[][] = [];
  const trust = () => ({ anchors: [pki.ca.cert] });

  it.each<[asked: string, options: () => Partial<ClientOptions>]>([
    ['nobody', () => ({})],
    [
      'the challenge handler',
      () => ({
        onChallenge: challenge => {
          if (challenge.method === 'server-trust') seen.push(challenge.chain);
          return { disposition: 'default' };
        },
      }),
    ],
    ['trust.evaluate', () => ({ trust: { ...trust(), evaluate: ({ chain }) => void seen.push(chain) } })],
  ])('is shown, where %s is asked', async (asked, options) => {
    const client = await clients.make(pki.ca.cert, options());
    const response = await client.fetch(server.url);
    expect(await response.text()).toBe('ok');
    const chains = [client.connectionInfo(response)?.serverChain, ...seen.splice(0)];
    expect(chains).toHaveLength(asked === 'nobody' ? 1 : 2);
    for (const chain of chains) {
      expect(chain?.map(it => it.subject)).toEqual(['CN=localhost', 'CN=Extra']);
      expect(chain?.[1]?.subjectAltNames).toEqual(['RID:#8800']);
    }
  });
});
