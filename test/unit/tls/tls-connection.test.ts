import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ClientCredential } from '../../../src/engine/credential.js';
import { TlsConnection } from '../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../src/tls/tls-engine.js';
import type { TlsConnectOptions, TlsSettings } from '../../../src/tls/types.js';
import { credentialOfPair } from '../../support/credential.js';
import { engineModule } from '../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { dialTcp } from '../../support/tcp-tunnel.js';

let pki: OpensslPki;
let otherPki: OpensslPki;
let serverKey: KeyPair;
let clientKey: KeyPair;
let rsaClient: KeyPair;
const servers: Server[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  otherPki = new OpensslPki('Other CA');
  serverKey = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost,IP:127.0.0.1' });
  clientKey = pki.issue({ subject: '/CN=client', usage: 'clientAuth' });
  rsaClient = pki.issue({ subject: '/CN=rsa client', usage: 'clientAuth', kind: 'rsa' });
});

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => {
  pki.close();
  otherPki.close();
});

async function listen(options: TlsOptions, onSocket: (socket: TLSSocket) => void = echo): Promise<number> {
  const server = createServer(
    { cert: serverKey.cert, key: serverKey.key, ca: pki.ca.cert, ...options },
    socket => {
      socket.on('error', () => {});
      onSocket(socket);
    },
  );
  server.on('tlsClientError', () => {});
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function echo(socket: TLSSocket): void {
  socket.pipe(socket);
}

function engineFor(settings: Partial<TlsSettings> = {}): Promise<TlsEngine> {
  return TlsEngine.create(engineModule(), { anchors: [certificateDer(pki.ca.cert)], ...settings });
}

async function connect(
  port: number,
  options: Partial<TlsConnectOptions> & { engine?: TlsEngine } = {},
): Promise<TlsConnection> {
  const engine = options.engine ?? (await engineFor());
  return TlsConnection.connect(engine, dialTcp(port), {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => undefined,
    ...options,
  });
}

async function roundTrip(connection: TlsConnection, size = 300_000): Promise<void> {
  const sent = new Uint8Array(size).map((_, i) => i % 251);
  const writer = connection.writable.getWriter();
  const writing = writer.write(sent).then(() => writer.close());
  const parts: Uint8Array[] = [];
  for await (const part of connection.readable) parts.push(part);
  await writing;
  expect(Buffer.concat(parts).equals(sent)).toBe(true);
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', version => {
  const only = { minVersion: version, maxVersion: version };

  it('carries bytes both ways and ends cleanly', async () => {
    const connection = await connect(await listen({ ...only, ALPNProtocols: ['h2'] }), {
      alpn: ['h2', 'http/1.1'],
    });
    expect(connection.info).toMatchObject({
      version,
      alpn: 'h2',
      clientCertificateRequested: false,
      clientCertificateSent: false,
    });
    expect(connection.info.cipherSuite).toMatch(/^TLS_[A-Z0-9_]+$/);
    expect(connection.info.serverChain[0]).toEqual(certificateDer(serverKey.cert));
    await roundTrip(connection);
  });

  it.each([
    ['ECDSA', () => clientKey],
    ['RSA', () => rsaClient],
  ])('presents a client certificate with an %s key', async (_, pair) => {
    let peer = '';
    const port = await listen({ ...only, requestCert: true, rejectUnauthorized: true }, socket => {
      peer = String(socket.getPeerCertificate().subject.CN);
      echo(socket);
    });
    const connection = await connect(port, { authenticate: async () => credentialOfPair(pair()) });
    expect(connection.info).toMatchObject({ clientCertificateRequested: true, clientCertificateSent: true });
    await roundTrip(connection, 10);
    expect(peer).toBe(pair() === clientKey ? 'client' : 'rsa client');
  });

  it('presents what is chosen for each connection, whatever the server was shown before', async () => {
    const peers: unknown[] = [];
    const port = await listen({ ...only, requestCert: true, rejectUnauthorized: false }, socket => {
      peers.push(socket.getPeerCertificate().subject?.CN);
      echo(socket);
    });
    const engine = await engineFor();
    const choices = [clientKey, clientKey, rsaClient, undefined, rsaClient];
    for (const [index, pair] of choices.entries()) {
      const authenticate = async () => pair && credentialOfPair(pair);
      const connection = await connect(port, { engine, partition: String(index), authenticate });
      expect(connection.info.clientCertificateSent).toBe(pair !== undefined);
      await roundTrip(connection, 10);
    }
    expect(peers).toEqual(['client', 'client', 'rsa client', undefined, 'rsa client']);
  });

  it('says that a certificate is required when none was sent', async () => {
    const port = await listen({ ...only, requestCert: true, rejectUnauthorized: true });
    const refused = connect(port).then(connection => connection.readable.getReader().read());
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLS_CLIENT_CERT_REQUIRED' });
  });

  it('says that the certificate was refused', async () => {
    const stranger = otherPki.issue({ subject: '/CN=stranger' });
    const port = await listen({ ...only, requestCert: true, rejectUnauthorized: true });
    const refused = connect(port, { authenticate: async () => credentialOfPair(stranger) }).then(connection =>
      connection.readable.getReader().read(),
    );
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLS_CLIENT_CERT_REJECTED' });
  });

  it.each([
    ['sent', () => credentialOfPair(clientKey), 'ERR_TLS_CLIENT_CERT_REJECTED'],
    ['not sent', () => undefined, 'ERR_TLS_CLIENT_CERT_REQUIRED'],
  ])(
    'takes a hang-up for a refusal soon after the handshake only: certificate %s',
    async (_, own, refusal) => {
      const sockets: TLSSocket[] = [];
      const asking = { ...only, requestCert: true, rejectUnauthorized: false };
      const port = await listen(asking, socket => void sockets.push(socket));
      const clock = vi.spyOn(performance, 'now');
      try {
        for (const [waitMs, code] of [
          [0, refusal],
          [5_001, 'ERR_TLS_TRUNCATED'],
        ] as const) {
          clock.mockReturnValue(1_000);
          const connection = await connect(port, { authenticate: async () => own() });
          const reading = connection.readable.getReader().read();
          await expect.poll(() => sockets.length).toBe(1);
          clock.mockReturnValue(1_000 + waitMs);
          sockets.pop()?.destroy();
          await expect(reading).rejects.toMatchObject({ code });
        }
      } finally {
        clock.mockRestore();
      }
    },
  );

  it.each([
    ['sent', () => credentialOfPair(clientKey), 'ERR_TLS_CLIENT_CERT_REJECTED'],
    ['not sent', () => undefined, 'ERR_TLS_CLIENT_CERT_REQUIRED'],
  ])(
    'takes a proper end without data for a refusal where data is expected: certificate %s',
    async (_, own, code) => {
      const asking = { ...only, requestCert: true, rejectUnauthorized: false };
      const port = await listen(asking, socket => void socket.end());
      const authenticate = async () => own();
      const expecting = await connect(port, { authenticate, expectsData: true });
      await expect(expecting.readable.getReader().read()).rejects.toMatchObject({ code });
      const other = await connect(port, { authenticate });
      expect(await other.readable.getReader().read()).toMatchObject({ done: true });
    },
  );

  it('tells a wrong signature', async () => {
    const port = await listen({ ...only, requestCert: true, rejectUnauthorized: true });
    const wrong = {
      ...credentialOfPair(clientKey),
      sign: credentialOfPair(pki.issue({ subject: '/CN=x' })).sign,
    };
    const refused = connect(port, { authenticate: async () => wrong }).then(connection =>
      connection.readable.getReader().read(),
    );
    await expect(refused).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_TLS_(CLIENT_CERT_REJECTED|ALERT)$/),
    });
  });

  it('reports a signer that fails, with its reason', async () => {
    const port = await listen({ ...only, requestCert: true });
    const cause = new Error('no key today');
    const failing = { ...credentialOfPair(clientKey), sign: () => Promise.reject(cause) };
    await expect(connect(port, { authenticate: async () => failing })).rejects.toMatchObject({
      code: 'ERR_TLS_SIGNATURE',
      cause,
    });
  });

  it('tells an end without close_notify from a clean one', async () => {
    const port = await listen(only, socket => {
      socket.write('half of it', () => setTimeout(() => socket.destroy(), 50));
    });
    const reader = (await connect(port)).readable.getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('half of it');
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TLS_TRUNCATED' });
  });

  it('resumes sessions within a partition only', async () => {
    const port = await listen({ ...only, requestCert: true });
    const engine = await engineFor();
    const visit = async (partition: string) => {
      const connection = await connect(port, {
        engine,
        partition,
        authenticate: async () => credentialOfPair(clientKey),
      });
      await roundTrip(connection, 10);
      return connection.info.resumed;
    };
    expect(await visit('a')).toBe(false);
    expect(await visit('a')).toBe(true);
    expect(await visit('b')).toBe(false);
  });
});

describe('the server certificate', () => {
  const failure = async (
    pair: KeyPair,
    options: Partial<TlsConnectOptions> & { engine?: TlsEngine } = {},
  ) => {
    const port = await listen({ cert: pair.cert, key: pair.key });
    return expect(connect(port, options)).rejects;
  };
  const names = { altNames: 'DNS:localhost' };

  it('must have the right name', async () => {
    const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:elsewhere.example' });
    await (await failure(pair)).toMatchObject({ code: 'ERR_TLS_CERT_NAME' });
  });

  it('must not have expired', async () => {
    const pair = pki.issue({ subject: '/CN=localhost', ...names, days: [-10, -2] });
    await (await failure(pair)).toMatchObject({ code: 'ERR_TLS_CERT_EXPIRED' });
  });

  it('must be valid already', async () => {
    const pair = pki.issue({ subject: '/CN=localhost', ...names, days: [2, 10] });
    await (await failure(pair)).toMatchObject({ code: 'ERR_TLS_CERT_NOT_YET_VALID' });
  });

  it('must come from a trusted authority', async () => {
    const pair = otherPki.issue({ subject: '/CN=localhost', ...names });
    await (await failure(pair)).toMatchObject({ code: 'ERR_TLS_CERT_UNTRUSTED' });
    const withoutAnchors = await engineFor({ anchors: [] });
    await (await failure(serverKey, { engine: withoutAnchors })).toMatchObject({
      code: 'ERR_TLS_CERT_UNTRUSTED',
    });
  });

  it('is put before the host when it wants to be asked', async () => {
    const engine = await engineFor({ evaluateServers: true });
    const pair = otherPki.issue({ subject: '/CN=localhost', ...names });
    const port = await listen({ cert: pair.cert, key: pair.key });
    const seen: unknown[] = [];
    const connection = await connect(port, {
      engine,
      evaluateServer: async ({ chain, error }) => {
        seen.push(chain[0], error);
        return 'trust';
      },
    });
    expect(seen).toEqual([
      certificateDer(pair.cert),
      expect.objectContaining({ code: 'ERR_TLS_CERT_UNTRUSTED' }),
    ]);
    await roundTrip(connection, 10);
    const wary: Partial<TlsConnectOptions> = { partition: 'wary', evaluateServer: async () => 'as-verified' };
    await expect(connect(port, { engine, ...wary })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_UNTRUSTED',
    });
  });

  it('may name an IP address', async () => {
    const connection = await connect(await listen({}), { hostname: '127.0.0.1' });
    await roundTrip(connection, 10);
  });
});

describe('questions that take their time', () => {
  const demanding = { requestCert: true, rejectUnauthorized: true };
  const slowly = (pair: KeyPair, delayMs: () => number): ClientCredential => {
    const fast = credentialOfPair(pair);
    return {
      ...fast,
      sign: async (scheme, message) => {
        await new Promise(resolve => setTimeout(resolve, delayMs()));
        return fast.sign(scheme, message);
      },
    };
  };

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'serves many connections at once, signatures in any order (%s)',
    async version => {
      const port = await listen({ ...demanding, minVersion: version, maxVersion: version });
      const engine = await engineFor();
      const connections = await Promise.all(
        Array.from({ length: 50 }, (_, i) => {
          const pair = i % 2 ? clientKey : rsaClient;
          return connect(port, {
            engine,
            partition: String(i),
            authenticate: async () => slowly(pair, () => 200 * Math.random()),
          });
        }),
      );
      await Promise.all(connections.map(connection => roundTrip(connection, 20_000)));
    },
  );

  it('lets other connections go on while a signature never comes', async () => {
    const port = await listen(demanding);
    const engine = await engineFor();
    const abandon = new AbortController();
    const stuck = connect(port, {
      engine,
      signal: abandon.signal,
      authenticate: async () => ({
        ...credentialOfPair(clientKey),
        sign: () => new Promise<never>(() => {}),
      }),
    });
    const others = Array.from({ length: 5 }, async () => {
      const connection = await connect(port, {
        engine,
        authenticate: async () => credentialOfPair(clientKey),
      });
      await roundTrip(connection);
    });
    await Promise.all(others);
    abandon.abort(new Error('enough'));
    await expect(stuck).rejects.toThrow('enough');
  });

  it('does not grow the memory by calls that are rolled back', async () => {
    const port = await listen(demanding);
    const engine = await engineFor();
    const visit = async (i: number) => {
      const connection = await connect(port, {
        engine,
        partition: String(i % 4),
        authenticate: async () => slowly(clientKey, () => 0),
      });
      await roundTrip(connection, 1000);
    };
    for (let i = 0; i < 20; i++) await visit(i);
    const before = engine.memoryBytes;
    for (let i = 0; i < 200; i++) await visit(i);
    expect(engine.memoryBytes).toBe(before);
  }, 60_000);
});
