import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { type ClientOptions, createClient, type MtlsClient, type TrustOptions } from '../../src/index.js';
import { codeOf, identityOf, startRelay } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { startNginx } from '../support/nginx.js';
import type { KeyPair } from '../support/openssl-pki.js';
import { type OpensslServer, startOpensslServer } from '../support/openssl-server.js';
import { CA, daysFromNow, pinOf, SERVER, TrustPki } from '../support/trust-pki.js';

const pki = new TrustPki();
const root = pki.issue({ subject: '/CN=Root', extensions: CA });
const middle = pki.issue({ by: root, subject: '/CN=Middle', extensions: CA });
const forServer = [...SERVER, 'subjectAltName=DNS:localhost'];
const leaf = pki.issue({ by: middle, subject: '/CN=localhost', extensions: forServer });
const demanding = pki.issue({
  by: middle,
  subject: '/CN=localhost',
  extensions: [...forServer, 'tlsfeature=status_request'],
});
const device = pki.issue({ subject: '/CN=Device', dates: [daysFromNow(-9), daysFromNow(-2)] });
const stranger = pinOf(pki.issue({ subject: '/CN=Stranger' }).cert);
const client = pki.issue({ by: root, subject: '/CN=Client', extensions: ['extendedKeyUsage=clientAuth'] });

let relay: Relay;

beforeAll(async () => {
  relay = await startRelay();
});
afterAll(async () => {
  await relay?.close();
  pki.close();
});

type Tls = 'TLSv1.2' | 'TLSv1.3';

interface Scene {
  server?: KeyPair;
  staple?: Uint8Array;
  tls?: Tls;
}

/** Runs with a server that shows its intermediate as well, and what it staples. */
async function withServer<T>(
  { server = leaf, staple, tls = 'TLSv1.3' }: Scene,
  use: (server: OpensslServer) => Promise<T>,
): Promise<T> {
  const running = await startOpensslServer({
    server: { cert: server === device ? device.cert : server.cert + middle.cert, key: server.key },
    tls,
    clientCa: root.cert,
    args: staple ? ['-status_file', pki.file('ocsp', staple)] : [],
  });
  try {
    return await use(running);
  } finally {
    await running.stop();
  }
}

async function withClient<T>(
  trust: TrustOptions,
  use: (client: MtlsClient) => Promise<T>,
  more: Partial<ClientOptions> = {},
): Promise<T> {
  const mtls = await createClient({
    tunnel: relay.url,
    identities: [await identityOf(client)],
    trust: { anchors: root.cert, ...trust },
    engine: engineModule(),
    ...more,
  });
  try {
    return await use(mtls);
  } finally {
    await mtls.close();
  }
}

/** What a request ends with: `200`, or the error's code. */
function outcome(scene: Scene, trust: TrustOptions = {}, more: Partial<ClientOptions> = {}): Promise<string> {
  return withServer(scene, ({ port }) =>
    withClient(
      trust,
      mtls =>
        codeOf(mtls.fetch(`https://localhost:${port}/`).then(it => Promise.reject({ code: `${it.status}` }))),
      more,
    ),
  );
}

describe.each<Tls>(['TLSv1.3', 'TLSv1.2'])('with %s, a server', tls => {
  const good = (of: KeyPair) => pki.ocsp(of, { issuer: middle, status: 'good' });
  const CASES: [what: string, scene: () => Scene, code: string][] = [
    ['that staples nothing', () => ({}), '200'],
    ['that staples a good response', () => ({ staple: good(leaf) }), '200'],
    [
      'that staples its own revocation',
      () => ({ staple: pki.ocsp(leaf, { issuer: middle, status: 'revoked' }) }),
      'ERR_TLS_CERT_REVOKED',
    ],
    ['that must staple and does', () => ({ server: demanding, staple: good(demanding) }), '200'],
    ['that must staple and does not', () => ({ server: demanding }), 'ERR_TLS_CERT_REVOCATION_UNKNOWN'],
    [
      'that staples a response for another',
      () => ({ server: demanding, staple: good(leaf) }),
      'ERR_TLS_CERT_REVOCATION_UNKNOWN',
    ],
  ];
  test.each(CASES)('%s', async (_what, scene, code) => {
    expect(await outcome({ ...scene(), tls })).toBe(code);
  });
});

test.each<Tls>(['TLSv1.3', 'TLSv1.2'])('what nginx staples counts, with %s', async tls => {
  const response = (of: KeyPair, status: 'good' | 'revoked') => pki.ocsp(of, { issuer: middle, status });
  const scenes: [KeyPair, Uint8Array | undefined, string][] = [
    [leaf, undefined, '200'],
    [leaf, response(leaf, 'good'), '200'],
    [leaf, response(leaf, 'revoked'), 'ERR_TLS_CERT_REVOKED'],
    [demanding, response(demanding, 'good'), '200'],
    [demanding, undefined, 'ERR_TLS_CERT_REVOCATION_UNKNOWN'],
  ];
  const nginx = await startNginx(
    scenes.map(([{ cert, key }, staple]) => ({
      server: { cert: cert + middle.cert, key },
      clientCa: root.cert,
      tls,
      ...(staple && { staple }),
    })),
  );
  try {
    const outcomeAt = (port: number | undefined) =>
      withClient({}, mtls =>
        mtls.fetch(`https://localhost:${port}/`).then(
          it => String(it.status),
          error => error.code,
        ),
      );
    expect(await Promise.all(nginx.ports.map(outcomeAt))).toEqual(scenes.map(([, , code]) => code));
    // A day after the response's nextUpdate.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3 * 86_400_000 });
    expect(await outcomeAt(nginx.ports[0])).toBe('200');
    expect(await outcomeAt(nginx.ports[1])).toBe('ERR_TLS_CERT_REVOCATION_UNKNOWN');
  } finally {
    vi.useRealTimers();
    await nginx.stop();
  }
});

test('a revocation list that has the server, or one of its issuers', async () => {
  expect(await outcome({}, { crls: [pki.crl(middle, []), pki.crl(root, [])] })).toBe('200');
  expect(await outcome({}, { crls: pki.crl(middle, [leaf]) })).toBe('ERR_TLS_CERT_REVOKED');
  expect(await outcome({}, { crls: pki.crl(root, [middle]) })).toBe('ERR_TLS_CERT_REVOKED');
});

describe('pins', () => {
  test('of the right key, of a backup, and of another host', async () => {
    expect(await outcome({}, { pins: { localhost: [pinOf(leaf.cert)] } })).toBe('200');
    expect(await outcome({}, { pins: { localhost: [stranger, pinOf(middle.cert)] } })).toBe('200');
    expect(await outcome({}, { pins: { 'elsewhere.example': [stranger] } })).toBe('200');
  });

  test('of another key end every kind of connection, whatever the challenge handler says', async () => {
    await withServer({}, async ({ port }) => {
      const trust = { pins: { [`localhost:${port}`]: [`sha256/${stranger}`] } };
      await withClient(trust, async mtls => {
        expect(await codeOf(mtls.fetch(`https://localhost:${port}/`))).toBe('ERR_TLS_PIN');
        expect(await codeOf(mtls.connect({ hostname: 'localhost', port }).opened)).toBe('ERR_TLS_PIN');
      });
      const trusting: Partial<ClientOptions> = {
        onChallenge: ({ method }) =>
          method === 'server-trust'
            ? { disposition: 'use-credential', credential: { trust: true } }
            : { disposition: 'default' },
      };
      const fetched = (more: TrustOptions) =>
        withClient(more, mtls => codeOf(mtls.fetch(`https://localhost:${port}/`)), trusting);
      expect(await fetched(trust)).toBe('ERR_TLS_PIN');
      expect(await fetched({ ...trust, anchors: [] })).toBe('ERR_TLS_PIN');
      expect(await fetched({ ...trust, evaluate: () => ({ trust: true }) })).toBe('ERR_TLS_PIN');
      expect(await fetched({ anchors: [], pins: { localhost: [pinOf(leaf.cert)] } })).toBe('no error');
    });
  });

  test.each<Tls>(['TLSv1.3', 'TLSv1.2'])(
    'in place of anchors let a device in that signed its own certificate (of version 1), and no other, with %s',
    async tls => {
      const pins = (cert: string): TrustOptions => ({
        anchors: [],
        pins: { localhost: { sha256: [pinOf(cert)], replacesAnchors: true } },
      });
      expect(await outcome({ server: device, tls }, pins(device.cert))).toBe('200');
      expect(await outcome({ server: device, tls }, pins(leaf.cert))).toBe('ERR_TLS_PIN');
      expect(await outcome({ server: device, tls })).toMatch(/^ERR_TLS_CERT_/);
    },
  );

  test('do not keep sessions from being resumed', async () => {
    await withServer({}, async ({ port }) => {
      await withClient({ pins: { localhost: [pinOf(leaf.cert)] } }, async mtls => {
        const resumed: (boolean | undefined)[] = [];
        for (let i = 0; i < 2; i++) {
          const response = await mtls.fetch(`https://localhost:${port}/`);
          await response.text();
          resumed.push(mtls.connectionInfo(response)?.resumed);
        }
        expect(resumed).toEqual([false, true]);
      });
    });
  });
});

describe('the hook evaluate', () => {
  test('is told what was found', async () => {
    const seen: unknown[] = [];
    const evaluate: TrustOptions['evaluate'] = ({ host, chain, result }) => {
      const path = result.chain.map(it => it.subject);
      seen.push([host, chain[0]?.subject, result.trusted, result.code, path.at(-1)]);
    };
    expect(await outcome({}, { evaluate })).toBe('200');
    expect(await outcome({}, { evaluate, crls: pki.crl(middle, [leaf]) })).toBe('ERR_TLS_CERT_REVOKED');
    expect(seen).toEqual([
      ['localhost', 'CN=localhost', true, undefined, 'CN=Root'],
      ['localhost', 'CN=localhost', false, 'ERR_TLS_CERT_REVOKED', 'CN=Middle'],
    ]);
  });

  test('refuses with false, accepts with { trust: true } alone, and fails with its own error', async () => {
    expect(await outcome({}, { evaluate: async () => false })).toBe('ERR_TLS_CERT_UNTRUSTED');
    expect(await outcome({}, { anchors: [], evaluate: () => true })).toBe('ERR_TLS_CERT_UNTRUSTED');
    expect(await outcome({}, { anchors: [], evaluate: async () => ({ trust: true }) })).toBe('200');
    const evaluate = () => Promise.reject(new RangeError('no answer'));
    expect(await outcome({}, { evaluate })).toContain('no answer');
  });
});

test('malformed trust is told when the client is made', async () => {
  const made = (trust: TrustOptions) => withClient(trust, async () => {});
  await expect(made({ pins: { localhost: ['sha256/abc'] } })).rejects.toThrow(TypeError);
  await expect(made({ pins: { 'not a host': [stranger] } })).rejects.toThrow(TypeError);
  await expect(made({ crls: Uint8Array.of(0x30, 0) })).rejects.toMatchObject({ code: 'ERR_CERT_MALFORMED' });
});
