import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import {
  type Challenge,
  type ClientOptions,
  type Disposition,
  type Identity,
  IdentityStore,
  passphraseVerification,
} from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import { type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { Clients } from './support/clients.js';

/** The server hangs up after so long in a handshake; a person takes longer. */
const PATIENCE_MS = 1_000;
const PERSON_MS = 2_500;

let pki: OpensslPki;
let serverPair: KeyPair;
let ada: Identity;
const servers: Server[] = [];
const clients = new Clients();

beforeAll(async () => {
  pki = new OpensslPki();
  serverPair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  ada = await identityOf(pki.issue({ subject: '/CN=Ada' }));
});
afterEach(async () => {
  await clients.close();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => pki.close());

async function listen(options: TlsOptions = {}) {
  const settings = {
    ...serverPair,
    ca: pki.ca.cert,
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: PATIENCE_MS,
    ...options,
  };
  const server = createHttpsServer(settings, (request, response) => {
    const { subject } = (request.socket as import('node:tls').TLSSocket).getPeerCertificate();
    response.end(subject.CN);
  });
  new WebSocketServer({ server }).on('connection', socket => socket.send('hello'));
  let hungUp = 0;
  server.on('tlsClientError', () => hungUp++);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, url: `https://localhost:${port}/`, hungUp: () => hungUp, sockets };
}

const clientWith = (options: Partial<ClientOptions>) => clients.make(pki.ca.cert, options);

const show = (identity: Identity, persistence: 'none' | 'session' = 'session'): Disposition => ({
  disposition: 'use-credential',
  credential: { identity, persistence },
});

/** Answers after the server's patience is over. */
function slowly(answers: Partial<Record<Challenge['method'], Disposition>>) {
  const asked: Challenge['method'][] = [];
  const onChallenge = async ({ method }: Challenge): Promise<Disposition> => {
    const answer = answers[method];
    if (!answer) return { disposition: 'default' };
    asked.push(method);
    await delay(PERSON_MS);
    return answer;
  };
  return { asked, onChallenge };
}

describe('a person who takes longer than the server waits', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is asked once for all that wait, over %s', async version => {
    const { url, port, hungUp } = await listen({ minVersion: version, maxVersion: version });
    const { asked, onChallenge } = slowly({ 'client-certificate': show(ada) });
    const client = await clientWith({ onChallenge });
    const socket = client.connect({ hostname: 'localhost', port });
    const webSocket = new client.WebSocket(url.replace('https:', 'wss:'));
    const greeting = new Promise<unknown>(resolve => {
      webSocket.onmessage = ({ data }) => resolve(data);
    });
    const answers = Array.from({ length: 10 }, async () => (await client.fetch(url)).text());
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['Ada']));
    expect(await greeting).toBe('hello');
    webSocket.close();
    await socket.opened;
    await socket.close();
    expect(asked).toEqual(['client-certificate']);
    expect(hungUp()).toBeGreaterThan(0);
  });

  it('has the answer for one connection used for the one that takes its place', async () => {
    const { url, hungUp } = await listen();
    const { asked, onChallenge } = slowly({ 'client-certificate': show(ada, 'none') });
    const client = await clientWith({ onChallenge });
    expect(await (await client.fetch(url)).text()).toBe('Ada');
    expect([asked.length, hungUp()]).toEqual([1, 1]);
    const other = await clientWith({ onChallenge });
    expect(await (await other.fetch(url)).text()).toBe('Ada');
    expect(asked).toHaveLength(2);
  });

  it('is asked once for all that wait, also with an answer for one connection and one connection for each', async () => {
    const { url } = await listen();
    const { asked, onChallenge } = slowly({ 'client-certificate': show(ada, 'none') });
    const client = await clientWith({ onChallenge });
    const answers = Array.from({ length: 10 }, async () => (await client.fetch(url)).text());
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['Ada']));
    expect(asked).toHaveLength(1);
  });

  it('may take long for each of the questions', async () => {
    const strange = new OpensslPki('Strange CA');
    const { url, hungUp } = await listen(
      strange.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' }),
    );
    strange.close();
    const { asked, onChallenge } = slowly({
      'server-trust': {
        disposition: 'use-credential',
        credential: { trust: true, persistence: 'none' },
      },
      'client-certificate': show(ada, 'none'),
    });
    const client = await clientWith({ onChallenge });
    expect(await (await client.fetch(url)).text()).toBe('Ada');
    expect([asked, hungUp()]).toEqual([['server-trust', 'client-certificate'], 2]);
  });

  it('is not asked again when one of the requests is given up, nor for requests that come later', async () => {
    const { url } = await listen();
    const { asked, onChallenge } = slowly({ 'client-certificate': show(ada) });
    const client = await clientWith({ onChallenge });
    const controller = new AbortController();
    const givenUp = client.fetch(url, { signal: controller.signal });
    const waiting = client.fetch(url);
    await expect.poll(() => asked.length).toBe(1);
    controller.abort(new Error('no time'));
    await expect(givenUp).rejects.toThrow('no time');
    expect(await (await waiting).text()).toBe('Ada');
    expect(asked).toHaveLength(1);
  });

  it('has answered for those who come later, when nobody waits any more', async () => {
    const { url } = await listen();
    const { asked, onChallenge } = slowly({ 'client-certificate': show(ada) });
    const client = await clientWith({ onChallenge });
    const controller = new AbortController();
    const givenUp = client.fetch(url, { signal: controller.signal });
    await expect.poll(() => asked.length).toBe(1);
    controller.abort(new Error('no time'));
    await expect(givenUp).rejects.toThrow('no time');
    await expect.poll(async () => (await client.answers()).length, { timeout: 10_000 }).toBe(1);
    expect(await (await client.fetch(url)).text()).toBe('Ada');
    expect(asked).toHaveLength(1);
  });

  it('may take long to confirm the use of an identity', async () => {
    globalThis.indexedDB = new IDBFactory();
    const purposes: string[] = [];
    const verification = passphraseVerification({
      ask: async ({ purpose }) => {
        purposes.push(purpose);
        if (purpose === 'unlock') await delay(PERSON_MS);
        return 'sesame';
      },
    });
    const store = await IdentityStore.open({ verification });
    const bob = await identityOf(pki.issue({ subject: '/CN=Bob' }), { sealedCopy: true });
    await store.add(bob, { hosts: ['localhost'], userVerification: 'required' });
    const { url, hungUp } = await listen();
    const client = await clientWith({ identities: store });
    expect(await (await client.fetch(url)).text()).toBe('Bob');
    expect([purposes, hungUp()]).toEqual([['set', 'unlock'], 1]);
    store.close();
  });

  it('may take long in the hook trust.evaluate, which is asked once for each connection', async () => {
    const strange = new OpensslPki('Strange CA');
    const { url, hungUp } = await listen(
      strange.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' }),
    );
    strange.close();
    let asked = 0;
    const evaluate = async () => {
      asked++;
      await delay(PERSON_MS);
      return { trust: true } as const;
    };
    const client = await clientWith({ identities: [ada], trust: { evaluate } });
    expect(await (await client.fetch(url)).text()).toBe('Ada');
    expect([asked, hungUp()]).toEqual([1, 1]);
  });

  it('may refuse late', async () => {
    const { url } = await listen();
    const { asked, onChallenge } = slowly({ 'client-certificate': { disposition: 'cancel' } });
    const client = await clientWith({ onChallenge });
    const codes = await Promise.all(
      Array.from({ length: 3 }, () => client.fetch(url).catch(error => error.cause.code)),
    );
    expect(new Set(codes)).toEqual(new Set(['ERR_TLS_CHALLENGE_CANCELLED']));
    expect(asked).toHaveLength(1);
  });
});

describe.each(['destroy', 'resetAndDestroy'] as const)(
  'a connection that is gone (%s) before a quick answer',
  end => {
    it.each(['TLSv1.2', 'TLSv1.3'] as const)(
      'has not been refused for the certificate, over %s',
      async version => {
        const { url, sockets } = await listen({ minVersion: version, maxVersion: version });
        const answers: Disposition[] = [show(ada), { disposition: 'reject' }];
        for (const answer of answers) {
          const onChallenge = async ({ method }: Challenge): Promise<Disposition> => {
            if (method === 'server-trust') return { disposition: 'default' };
            for (const socket of sockets) socket[end]();
            await delay(100);
            return answer;
          };
          const client = await clientWith({ onChallenge });
          await expect(client.fetch(url)).rejects.toMatchObject({ code: 'ERR_TLS_TRUNCATED' });
        }
      },
    );
  },
);

it('a server that hangs up at once is not dialled again', async () => {
  let connections = 0;
  const server = createServer({ ...serverPair, ca: pki.ca.cert, requestCert: true }, socket =>
    socket.destroy(),
  );
  server.on('connection', () => connections++);
  server.on('tlsClientError', () => {});
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const client = await clientWith({ onChallenge: () => ({ disposition: 'reject' }) });
  const { port } = server.address() as AddressInfo;
  await expect(client.connect({ hostname: 'localhost', port }).opened).rejects.toMatchObject({
    code: 'ERR_TLS_CERT_UNTRUSTED',
  });
  expect(connections).toBe(1);
});
