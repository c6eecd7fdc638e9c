import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Challenge,
  type ClientOptions,
  createClient,
  type Disposition,
  type Identity,
  type MtlsClient,
  type Socket,
  type StoredIdentity,
} from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import { type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { tcpTunnel } from '../../support/tcp-tunnel.js';
import { Clients } from './support/clients.js';

let pki: OpensslPki;
let otherPki: OpensslPki;
let serverPair: KeyPair;
let ada: Identity;
let bob: Identity;
const servers: Server[] = [];
const clients = new Clients();

beforeAll(async () => {
  pki = new OpensslPki();
  otherPki = new OpensslPki('Other CA');
  serverPair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  ada = await identityOf(pki.issue({ subject: '/CN=Ada' }));
  bob = await identityOf(pki.issue({ subject: '/CN=Bob', kind: 'rsa' }));
});

afterEach(async () => {
  await clients.close();
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => {
  pki.close();
  otherPki.close();
});

/** A server that says who the client is, then echoes. */
async function listen(pair = serverPair, onSocket?: (socket: TLSSocket) => void): Promise<number> {
  const options = {
    ...pair,
    ca: pki.ca.cert,
    requestCert: true,
    rejectUnauthorized: false,
    allowHalfOpen: true,
  };
  const server = createServer(options, socket => {
    socket.on('error', () => {});
    if (onSocket) return onSocket(socket);
    const { subject } = socket.getPeerCertificate() ?? {};
    socket.write(`${subject?.CN ?? 'nobody'};`);
    socket.pipe(socket);
  });
  server.on('tlsClientError', () => {});
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const clientWith = (options: Partial<ClientOptions>) => clients.make(pki.ca.cert, options);

async function readAll(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket.readable) text += Buffer.from(chunk).toString();
  return text;
}

/** Whom the server takes the client for. */
async function presentedBy(client: MtlsClient, port: number, hostname = 'localhost'): Promise<string> {
  const socket = client.connect({ hostname, port });
  const reader = socket.readable.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  await socket.writable.getWriter().close();
  await readAll(socket);
  return Buffer.from(value ?? [])
    .toString()
    .replace(/;$/, '');
}

function stored(identity: Identity, hosts?: string[]): StoredIdentity {
  return {
    ...identity,
    id: identity.certificate.subject,
    controls: hosts ? { hosts } : {},
    createdAt: new Date(),
    locked: false,
  };
}

/** The part of a store that a client uses. */
function storeOf(...identities: StoredIdentity[]) {
  const store = { find: async () => identities };
  return { store: store as unknown as NonNullable<ClientOptions['identities']> };
}

describe('the identity that is shown', () => {
  it('is the one that was given', async () => {
    const client = await clientWith({ identities: [ada] });
    expect(await presentedBy(client, await listen())).toBe('Ada');
  });

  it('is none when there are several and nobody chooses', async () => {
    const client = await clientWith({ identities: [ada, bob] });
    expect(await presentedBy(client, await listen())).toBe('nobody');
  });

  it('is the stored one whose hosts allow the target', async () => {
    const port = await listen();
    const { store } = storeOf(
      stored(ada, ['elsewhere.example', `localhost:${port + 1}`]),
      stored(bob, [`localhost:${port}`]),
    );
    expect(await presentedBy(await clientWith({ identities: store }), port)).toBe('Bob');
  });

  it('is never a stored one without hosts', async () => {
    const { store } = storeOf(stored(ada));
    expect(await presentedBy(await clientWith({ identities: store }), await listen())).toBe('nobody');
  });

  it('is not resumed for another port of the same host', async () => {
    const [first, second] = [await listen(), await listen()];
    const { store } = storeOf(stored(ada, [`localhost:${first}`]));
    const client = await clientWith({ identities: store });
    expect(await presentedBy(client, first)).toBe('Ada');
    expect(await presentedBy(client, second)).toBe('nobody');
    expect(await presentedBy(client, first)).toBe('Ada');
  });

  it('is gone from the next connection on when the store has lost it', async () => {
    const port = await listen();
    const identities = [stored(ada, ['localhost'])];
    const { store } = storeOf();
    Object.assign(store, { find: async () => identities });
    const client = await clientWith({ identities: store });
    expect(await presentedBy(client, port)).toBe('Ada');
    identities.pop();
    expect(await presentedBy(client, port)).toBe('nobody');
  });

  it('explains its absence', async () => {
    const strict = { ...serverPair, ca: pki.ca.cert, requestCert: true };
    const server = createServer({ ...strict, rejectUnauthorized: true }, socket => socket.resume());
    server.on('tlsClientError', () => {});
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { store } = storeOf(stored(ada, ['elsewhere.example']));
    for (const [identities, reason] of [
      [[], /no identity/],
      [[ada, bob], /2 identities are allowed/],
      [store, /no identity is allowed for localhost:\d+: add it to the hosts of one/],
    ] as const) {
      const client = await clientWith({ identities: identities as NonNullable<ClientOptions['identities']> });
      await expect(readAll(client.connect({ hostname: 'localhost', port }))).rejects.toMatchObject({
        code: 'ERR_TLS_CLIENT_CERT_REQUIRED',
        message: expect.stringMatching(reason),
      });
    }
  });
});

describe('challenges', () => {
  const answering = (answers: Partial<Record<Challenge['method'], Disposition>>) => {
    const asked: Challenge[] = [];
    const onChallenge = (challenge: Challenge): Disposition => {
      asked.push(challenge);
      return answers[challenge.method] ?? { disposition: 'default' };
    };
    return { asked, onChallenge };
  };
  const show = (identity: Identity, persistence?: 'none' | 'session'): Disposition => ({
    disposition: 'use-credential',
    credential: { identity, ...(persistence && { persistence }) },
  });

  it('name the candidates and the acceptable issuers', async () => {
    const { asked, onChallenge } = answering({ 'client-certificate': show(bob) });
    const client = await clientWith({ identities: [ada, bob], onChallenge });
    const port = await listen();
    expect(await presentedBy(client, port)).toBe('Bob');
    expect(asked).toEqual([
      {
        method: 'server-trust',
        host: 'localhost',
        port,
        chain: expect.arrayContaining([expect.objectContaining({ subject: 'CN=localhost' })]),
        signal: expect.any(AbortSignal),
      },
      {
        method: 'client-certificate',
        host: 'localhost',
        port,
        acceptableIssuers: ['CN=Test CA'],
        acceptableIssuersDer: [expect.any(Uint8Array)],
        signatureSchemes: expect.arrayContaining([
          'ecdsa_secp256r1_sha256',
          'rsa_pss_rsae_sha256',
          'ed25519',
        ]),
        candidates: [
          expect.objectContaining({ id: ada.certificate.fingerprint }),
          expect.objectContaining(bob),
        ],
        others: [],
        signal: expect.any(AbortSignal),
      },
    ]);
  });

  it('tell why the other identities do not fit, and may be answered with some of them all the same', async () => {
    const port = await listen();
    const stranger = await identityOf(otherPki.issue({ subject: '/CN=Stranger' }));
    const expired = await identityOf(pki.issue({ subject: '/CN=Late', days: [-3, -1] }));
    const serverOnly = await identityOf(pki.issue({ subject: '/CN=Server', usage: 'serverAuth' }));
    const hosts = ['localhost'];
    const { store } = storeOf(
      stored(ada),
      stored(bob, ['elsewhere.example']),
      ...[stranger, expired, serverOnly].map(it => stored(it, hosts)),
      { ...stored(bob, hosts), controls: { hosts, expiresAt: new Date(0) } },
      { ...stored(bob, hosts), locked: true },
    );
    const { asked, onChallenge } = answering({ 'client-certificate': show(stored(ada)) });
    const client = await clientWith({ identities: store, onChallenge });
    expect(await presentedBy(client, port)).toBe('Ada');
    const [challenge] = asked.filter(it => it.method === 'client-certificate');
    expect(challenge?.candidates).toEqual([]);
    expect(challenge?.others.map(it => [it.identity.certificate.subject, it.code, it.selectable])).toEqual([
      ['CN=Ada', 'ERR_IDENTITY_NOT_ALLOWED', true],
      ['CN=Bob', 'ERR_IDENTITY_NOT_ALLOWED', false],
      ['CN=Stranger', 'ERR_IDENTITY_NOT_ACCEPTED', true],
      ['CN=Late', 'ERR_TLS_CERT_EXPIRED', true],
      ['CN=Server', 'ERR_TLS_CERT_PURPOSE', true],
      ['CN=Bob', 'ERR_IDENTITY_EXPIRED', false],
      ['CN=Bob', 'ERR_IDENTITY_LOCKED', false],
    ]);
    const advice = challenge?.others.slice(-2).map(it => it.message);
    expect(advice).toEqual([
      expect.stringMatching(/import it again/),
      expect.stringMatching(/unlock it first/),
    ]);
  });

  it('are put once for all connections that wait, and remembered', async () => {
    const { asked, onChallenge } = answering({
      'client-certificate': show(ada),
      'server-trust': { disposition: 'use-credential', credential: { trust: true } },
    });
    const client = await clientWith({ onChallenge });
    const port = await listen();
    const names = await Promise.all(Array.from({ length: 10 }, () => presentedBy(client, port)));
    expect(new Set(names)).toEqual(new Set(['Ada']));
    await presentedBy(client, port);
    expect(asked.map(it => it.method).sort()).toEqual(['client-certificate', 'server-trust']);
  });

  it('are put again when the answer was for one connection', async () => {
    const { asked, onChallenge } = answering({ 'client-certificate': show(ada, 'none') });
    const client = await clientWith({ onChallenge });
    const port = await listen();
    for (let i = 0; i < 3; i++) expect(await presentedBy(client, port)).toBe('Ada');
    expect(asked.filter(it => it.method === 'client-certificate')).toHaveLength(3);
  });

  it('can be rejected, cancelled, or left to the default', async () => {
    const port = await listen();
    const outcome = async (disposition: 'reject' | 'cancel' | 'default') => {
      const { onChallenge } = answering({ 'client-certificate': { disposition } });
      return presentedBy(await clientWith({ identities: [ada], onChallenge }), port);
    };
    expect(await outcome('reject')).toBe('nobody');
    expect(await outcome('default')).toBe('Ada');
    await expect(outcome('cancel')).rejects.toMatchObject({ code: 'ERR_TLS_CHALLENGE_CANCELLED' });
  });

  it('let a person trust a server, or not', async () => {
    const port = await listen(otherPki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' }));
    const outcome = async (disposition: Disposition) => {
      const { asked, onChallenge } = answering({ 'server-trust': disposition });
      const name = await presentedBy(await clientWith({ identities: [ada], onChallenge }), port);
      expect(asked[0]).toMatchObject({ error: { code: 'ERR_TLS_CERT_UNTRUSTED' } });
      return name;
    };
    expect(await outcome({ disposition: 'use-credential', credential: { trust: true } })).toBe('Ada');
    for (const disposition of ['default', 'reject'] as const) {
      await expect(outcome({ disposition })).rejects.toMatchObject({ code: 'ERR_TLS_CERT_UNTRUSTED' });
    }
    await expect(outcome({ disposition: 'cancel' })).rejects.toMatchObject({
      code: 'ERR_TLS_CHALLENGE_CANCELLED',
    });
  });

  it.each<[unknown, RegExp]>([
    [undefined, /disposition/],
    [{ disposition: 'perhaps' }, /use-credential, default, reject or cancel/],
    [{ disposition: 'use-credential' }, /"answer.credential.identity" must be an identity/],
    [
      { disposition: 'use-credential', credential: { trust: true } },
      /"answer.credential.identity" must be an identity/,
    ],
    [
      { disposition: 'use-credential', credential: 'Ada' },
      /"answer.credential.identity" must be an identity/,
    ],
    [
      { disposition: 'use-credential', credential: { identity: null } },
      /"answer.credential.identity" must be an identity/,
    ],
    [
      { disposition: 'use-credential', credential: { identity: { keys: [] } } },
      /"answer.credential.identity" must be an identity/,
    ],
  ])('take %j for no answer to a client certificate challenge', async (answer, message) => {
    const client = await clientWith({
      onChallenge: ({ method }) =>
        method === 'server-trust' ? { disposition: 'default' } : (answer as Disposition),
    });
    await expect(presentedBy(client, await listen())).rejects.toThrow(message);
  });

  it('take no persistence that is none', async () => {
    const forever = await clientWith({
      onChallenge: ({ method }) =>
        method === 'server-trust' ? { disposition: 'default' } : show(ada, 'forever' as 'none'),
    });
    await expect(presentedBy(forever, await listen())).rejects.toThrow(/none, session or permanent/);
  });

  it.each(['PEM', [Uint8Array.of(1)], null])('take no intermediates that are %j', async intermediates => {
    const client = await clientWith({
      onChallenge: ({ method }) =>
        method === 'server-trust'
          ? { disposition: 'default' }
          : {
              disposition: 'use-credential',
              credential: { identity: ada, intermediates: intermediates as never },
            },
    });
    await expect(presentedBy(client, await listen())).rejects.toThrow(
      /"answer.credential.intermediates" must be a list/,
    );
  });

  it('take no identity for a verdict on a server', async () => {
    const port = await listen(otherPki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' }));
    const client = await clientWith({ onChallenge: () => show(ada) });
    await expect(presentedBy(client, port)).rejects.toThrow(TypeError);
  });

  it.each([
    ['the store has lost the identity', []],
    ['the identity is allowed elsewhere only', ['elsewhere.example']],
  ])('are put again when %s', async (_, hosts) => {
    const port = await listen();
    let identities = [stored(ada, ['localhost'])];
    const { store } = storeOf();
    Object.assign(store, { find: async () => identities });
    const candidates: number[] = [];
    const client = await clientWith({
      identities: store,
      onChallenge: challenge => {
        if (challenge.method === 'server-trust') return { disposition: 'default' };
        candidates.push(challenge.candidates.length);
        const [first] = challenge.candidates;
        return first ? show(first) : { disposition: 'reject' };
      },
    });
    expect(await presentedBy(client, port)).toBe('Ada');
    expect(await presentedBy(client, port)).toBe('Ada');
    identities = hosts.length > 0 ? [stored(ada, hosts)] : [];
    expect(await presentedBy(client, port)).toBe('nobody');
    expect(candidates).toEqual([1, 0]);
  });

  it('are put again when an identity without hosts, chosen by hand, is deleted', async () => {
    const port = await listen();
    const identities: StoredIdentity[] = [];
    const { store } = storeOf();
    Object.assign(store, { find: async () => [...identities] });
    const client = await clientWith({
      identities: store,
      onChallenge: ({ method }) => {
        if (method === 'server-trust') return { disposition: 'default' };
        if (deleted) return { disposition: 'reject' };
        const imported = stored(ada);
        identities.push(imported);
        return show(imported);
      },
    });
    let deleted = false;
    expect(await presentedBy(client, port)).toBe('Ada');
    expect(await presentedBy(client, port)).toBe('Ada');
    identities.pop();
    deleted = true;
    expect(await presentedBy(client, port)).toBe('nobody');
  });

  it('are put again to a connection that was waiting for its tunnel during another, given for one only', async () => {
    const port = await listen();
    const { asked, onChallenge } = answering({ 'client-certificate': show(ada, 'none') });
    let open = () => {};
    const held = new Promise<void>(resolve => {
      open = resolve;
    });
    let tunnels = 0;
    const client = await clientWith({
      onChallenge,
      tunnel: {
        connect: async address => {
          if (tunnels++ === 0) await held;
          return tcpTunnel.connect(address);
        },
      },
    });
    const waiting = presentedBy(client, port);
    await expect.poll(() => tunnels).toBe(1);
    await presentedBy(client, port);
    open();
    await waiting;
    expect(asked.filter(it => it.method === 'client-certificate')).toHaveLength(2);
  });

  it('say that the server cannot use what the identity signs with', async () => {
    const server = createServer(
      { ...serverPair, ca: pki.ca.cert, requestCert: true, maxVersion: 'TLSv1.2', sigalgs: 'ECDSA+SHA256' },
      socket => socket.resume(),
    );
    server.on('tlsClientError', () => {});
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const { onChallenge } = answering({ 'client-certificate': show(bob) });
    const client = await clientWith({ onChallenge });
    await expect(
      readAll(client.connect({ hostname: 'localhost', port: (server.address() as AddressInfo).port })),
    ).rejects.toMatchObject({
      code: 'ERR_TLS_CLIENT_CERT_REQUIRED',
      message: expect.stringMatching(/supports none of the server's signature schemes/),
    });
  });

  it.each([undefined, null])('name a reason when %s is thrown', async reason => {
    const port = await listen();
    const throwing: Partial<ClientOptions>[] = [
      { onChallenge: () => Promise.reject(reason) },
      {
        onChallenge: ({ method }) => {
          if (method === 'server-trust') return { disposition: 'default' };
          throw reason;
        },
      },
      { trust: { anchors: pki.ca.cert, evaluate: () => Promise.reject(reason) } },
    ];
    for (const options of throwing) {
      await expect(presentedBy(await clientWith(options), port)).rejects.toMatchObject({
        code: 'ERR_TLS_CHALLENGE_CANCELLED',
        message: expect.stringMatching(/gave no reason/),
      });
    }
  });

  it('pass on what the handler throws, and ask again next time', async () => {
    const failure = new Error('dialog closed');
    let calls = 0;
    const client = await clientWith({
      onChallenge: async ({ method }) => {
        if (method === 'server-trust') return { disposition: 'default' };
        if (++calls === 1) throw failure;
        return show(ada);
      },
    });
    const port = await listen();
    await expect(presentedBy(client, port)).rejects.toBe(failure);
    expect(await presentedBy(client, port)).toBe('Ada');
  });
});

describe('a socket', () => {
  it('can be written to at once, and half-closes', async () => {
    const port = await listen(serverPair, socket => {
      let heard = '';
      socket.on('data', data => {
        heard += data;
      });
      socket.on('end', () => socket.end(`heard ${heard}`));
    });
    const socket = (await clientWith({})).connect({ hostname: 'localhost', port });
    const writer = socket.writable.getWriter();
    await writer.write(new TextEncoder().encode('all of it'));
    await writer.close();
    expect(await readAll(socket)).toBe('heard all of it');
    expect(await socket.opened).toMatchObject({ remoteAddress: `localhost:${port}`, alpn: null });
    await socket.closed;
  });

  it('closes when told to', async () => {
    const socket = (await clientWith({})).connect({ hostname: 'localhost', port: await listen() });
    await socket.opened;
    await socket.close();
    await expect(readAll(socket)).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    await socket.closed;
  });

  it('fails everywhere with the reason of the handshake', async () => {
    const port = await listen(otherPki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' }));
    const socket = (await clientWith({})).connect({ hostname: 'localhost', port });
    const untrusted = { code: 'ERR_TLS_CERT_UNTRUSTED' };
    await expect(socket.opened).rejects.toMatchObject(untrusted);
    await expect(socket.closed).rejects.toMatchObject(untrusted);
    await expect(readAll(socket)).rejects.toMatchObject(untrusted);
    await expect(socket.writable.getWriter().write(Uint8Array.of(1))).rejects.toMatchObject(untrusted);
  });

  it('closes while the server neither reads nor says anything more', async () => {
    const port = await listen(serverPair, socket => socket.pause().end());
    const socket = (await clientWith({})).connect({ hostname: 'localhost', port });
    await readAll(socket);
    const writer = socket.writable.getWriter();
    writer.closed.catch(() => {});
    const writes = Array.from({ length: 400 }, () => writer.write(new Uint8Array(65_536)).catch(() => {}));
    await new Promise(resolve => setTimeout(resolve, 200));
    await socket.close();
    await Promise.all(writes);
  });

  it('closes while a person is being asked', async () => {
    let asked = () => {};
    const asking = new Promise<void>(resolve => {
      asked = resolve;
    });
    const onChallenge = () => {
      asked();
      return new Promise<never>(() => {});
    };
    const client = await clientWith({ onChallenge });
    const port = await listen();
    const socket = client.connect({ hostname: 'localhost', port });
    const fetching = client.fetch(`https://localhost:${port}/`);
    await asking;
    await client.close();
    await expect(socket.opened).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    await expect(fetching).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
  });

  it('ends with its client', async () => {
    const client = await clientWith({});
    const socket = client.connect({ hostname: 'localhost', port: await listen() });
    await socket.opened;
    await client.close();
    await expect(readAll(socket)).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    expect(() => client.connect({ hostname: 'localhost', port: 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_CLIENT_CLOSED' }),
    );
  });
});

describe('options', () => {
  it('are checked', async () => {
    await expect(clientWith({ trust: { anchors: ['no certificate'] } })).rejects.toMatchObject({
      code: 'ERR_CERT_MALFORMED',
    });
    await expect(clientWith({ trust: { anchors: [Uint8Array.of(0x30, 1, 2)] } })).rejects.toMatchObject({
      code: 'ERR_CERT_MALFORMED',
    });
    await expect(clientWith({ tunnel: 'https://relay.example' })).rejects.toThrow(TypeError);
    for (const tlsVersions of [[], ['TLSv1.1']] as unknown as ('TLSv1.3' | undefined)[][]) {
      await expect(clientWith({ tlsVersions: tlsVersions as 'TLSv1.3'[] })).rejects.toThrow(TypeError);
    }
    const client = await clientWith({});
    expect(() => client.connect({ hostname: 'localhost', port: 70_000 })).toThrow(TypeError);
    expect(() => client.connect({ hostname: 'not a host', port: 1 })).toThrow(TypeError);
  });

  it.each<[unknown, RegExp]>([
    [undefined, /"tunnel" must be the address/],
    [{ tunnel: undefined }, /"tunnel" must be the address/],
    [{ identities: () => ada }, /"identities" must be an IdentityStore/],
    [{ identities: [{ certificate: {} }] }, /"identities" must be an IdentityStore/],
    [{ onChallenge: 'default' }, /"onChallenge" must be a function/],
    [{ trust: null }, /"trust" must be an object/],
    [{ trust: { evaluate: true } }, /"trust.evaluate" must be a function/],
  ])('are not %j', async (options, message) => {
    const made =
      options === undefined ? createClient(options as never) : clientWith(options as ClientOptions);
    await expect(made).rejects.toThrow(TypeError);
    await expect(made).rejects.toThrow(message);
  });

  it('choose the TLS version', async () => {
    const seen: (string | null)[] = [];
    const port = await listen(serverPair, socket => {
      seen.push(socket.getProtocol());
      socket.resume();
    });
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = (await clientWith({ tlsVersions: [version] })).connect({ hostname: 'localhost', port });
      await socket.opened;
    }
    await expect.poll(() => seen).toEqual(['TLSv1.2', 'TLSv1.3']);
  });
});
