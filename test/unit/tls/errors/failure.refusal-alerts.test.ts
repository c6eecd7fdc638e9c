import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClientCredential } from '../../../../src/engine/credential.js';
import { TlsConnection } from '../../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../../src/tls/tls-engine.js';
import type { TunnelStream } from '../../../../src/tunnel/tunnel.js';
import { attacked, secretsOf } from '../../../support/attacked-tunnel.js';
import { credentialOfPair } from '../../../support/credential.js';
import { engineModule } from '../../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';

const ALERT = 21;
const DATA = 23;
/** Damaged records, versions, names and protocols: these say nothing about a certificate. */
const UNRELATED = [20, 21, 22, 70, 86, 112, 120];
const CERTIFICATE_REQUIRED = 116;
/** All that have a name but user_canceled, which ends nothing in TLS 1.3, and two that have none. */
const ALERTS = [
  ...[10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 70, 71, 80, 86, 109, 110, 111],
  ...[112, 113, 114, 115, 116, 120, 121, 99, 255],
];

let pki: OpensslPki;
let pair: KeyPair;
let own: ClientCredential;
const servers: Server[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  own = credentialOfPair(pki.issue({ subject: '/CN=client' }));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => pki.close());

async function listen(version: 'TLSv1.2' | 'TLSv1.3', requestCert: boolean) {
  const limits = { minVersion: version, maxVersion: version, ciphers: suites[version], requestCert };
  const server = createServer({ ...pair, ...limits, rejectUnauthorized: false }, socket => {
    socket.on('error', () => {}).write('hello');
  });
  server.on('tlsClientError', () => {});
  const secrets = secretsOf(server);
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, secrets };
}

const suites = { 'TLSv1.2': 'ECDHE-ECDSA-AES128-GCM-SHA256', 'TLSv1.3': 'TLS_AES_128_GCM_SHA256' } as const;

/** TLS 1.2: in the place of the server's answer to the client's second flight, where alerts are in the clear. */
function answeredByAlert({ readable, writable }: TunnelStream, alert: number): TunnelStream {
  const writer = writable.getWriter();
  let flights = 0;
  let push = (_: Uint8Array) => {};
  const injected = new Promise<Uint8Array>(resolve => {
    push = resolve;
  });
  const reader = readable.getReader();
  return {
    readable: new ReadableStream(
      {
        async pull(controller) {
          const next = await Promise.race([injected, reader.read().then(({ value }) => value)]);
          if (next) controller.enqueue(next);
          else controller.close();
        },
        cancel: reason => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    ),
    writable: new WritableStream({
      async write(chunk) {
        if (++flights > 1) push(Uint8Array.of(ALERT, 3, 3, 0, 2, 2, alert));
        else await writer.write(chunk);
      },
      close: () => writer.close(),
      abort: reason => writer.abort(reason),
    }),
  };
}

/** Connects to a server whose answer to the client's flight is the alert. */
async function refusedBy(
  alert: number,
  version: 'TLSv1.2' | 'TLSv1.3',
  { requestCert, credential }: { requestCert: boolean; credential?: ClientCredential },
): Promise<{ code: string; message: string }> {
  const { port, secrets } = await listen(version, requestCert);
  const stream =
    version === 'TLSv1.2'
      ? answeredByAlert(dialTcp(port), alert)
      : attacked(dialTcp(port), secrets, {
          suite: suites[version],
          cue: ({ type }) => type === DATA,
          replacesCue: true,
          attack: records => [records.seal(ALERT, Buffer.of(2, alert))],
        });
  const engine = await TlsEngine.create(engineModule(), { anchors: [certificateDer(pki.ca.cert)] });
  const options = { hostname: 'localhost', partition: '', authenticate: async () => credential };
  try {
    const connection = await TlsConnection.connect(engine, stream, options);
    await connection.readable.getReader().read();
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error('it worked');
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', version => {
  it('each fatal alert behind a request that was answered without a certificate says that one is missing', async () => {
    for (const alert of ALERTS) {
      const { code, message } = await refusedBy(alert, version, { requestCert: true });
      const expected = UNRELATED.includes(alert) ? 'ERR_TLS_ALERT' : 'ERR_TLS_CLIENT_CERT_REQUIRED';
      expect([alert, code]).toEqual([alert, expected]);
      expect(message).toContain(`alert ${alert}`);
    }
  });

  it('each fatal alert behind a certificate says that it was refused', async () => {
    for (const alert of ALERTS.filter(it => it !== CERTIFICATE_REQUIRED)) {
      const { code, message } = await refusedBy(alert, version, { requestCert: true, credential: own });
      const expected = UNRELATED.includes(alert) ? 'ERR_TLS_ALERT' : 'ERR_TLS_CLIENT_CERT_REJECTED';
      expect([alert, code]).toEqual([alert, expected]);
      expect(message).toContain(`alert ${alert}`);
    }
  });

  it('an alert where no certificate was asked for is no matter of certificates', async () => {
    for (const alert of ALERTS.filter(it => it !== CERTIFICATE_REQUIRED)) {
      const { code, message } = await refusedBy(alert, version, { requestCert: false });
      expect([alert, code]).toEqual([alert, 'ERR_TLS_ALERT']);
      expect(message).toContain(`alert ${alert}`);
    }
  });
});
