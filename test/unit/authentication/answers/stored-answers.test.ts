import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { openDB } from 'idb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Challenge,
  createClient,
  type Disposition,
  type Identity,
  IdentityStore,
  type MtlsClient,
  type Persistence,
  renew,
  type StoredIdentity,
  type TrustOptions,
} from '../../../../src/index.js';
import { identityOf } from '../../../support/client.js';
import { engineModule } from '../../../support/engine.js';
import { type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { tcpTunnel } from '../../../support/tcp-tunnel.js';
import { RequestSigner } from '../../enroll/support/openssl.js';

let pki: OpensslPki;
let serverPair: KeyPair;
let renewedPair: KeyPair;
let ada: Identity;
let bob: Identity;
let store: IdentityStore;
const servers: Server[] = [];
const clients: MtlsClient[] = [];

beforeAll(async () => {
  pki = new OpensslPki();
  serverPair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  renewedPair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  ada = await identityOf(pki.issue({ subject: '/CN=Ada' }));
  bob = await identityOf(pki.issue({ subject: '/CN=Bob' }));
});
beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  store = await IdentityStore.open();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
  for (const server of servers.splice(0)) server.close();
  store.close();
});
afterAll(() => pki.close());

async function listen(pair = serverPair, port = 0, requestCert = true) {
  const settings = { ...pair, ca: pki.ca.cert, requestCert, rejectUnauthorized: false };
  const server = createHttpsServer(settings, async (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    response.write(subject?.CN ?? 'nobody');
    if (request.url === '/slow') await once(server, 'release');
    response.end();
  });
  servers.push(server.listen(port, '127.0.0.1'));
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return { server, port: address.port, url: `https://localhost:${address.port}/` };
}

/** A page: its client asks, and what is kept in the database is all that it shares with the next one. */
async function page(
  answer: (challenge: Challenge) => Disposition | Promise<Disposition>,
  trust: TrustOptions = { anchors: [pki.ca.cert] },
) {
  const asked: Challenge['method'][] = [];
  const client = await createClient({
    tunnel: tcpTunnel,
    identities: store,
    trust,
    engine: engineModule(),
    onChallenge: challenge => {
      if (challenge.method === 'server-trust' && !challenge.error) return { disposition: 'default' };
      asked.push(challenge.method);
      return answer(challenge);
    },
  });
  clients.push(client);
  return { client, asked, text: async (url: string) => (await client.fetch(url)).text() };
}

const choosing = (identity: Identity, persistence: Persistence) => (): Disposition => ({
  disposition: 'use-credential',
  credential: { identity, persistence },
});
const trusting = (persistence: Persistence) => (): Disposition => ({
  disposition: 'use-credential',
  credential: { trust: true, persistence },
});
const nobody = (): Disposition => ({ disposition: 'reject' });
const addBoth = async (hosts: string[]): Promise<StoredIdentity[]> => [
  await store.add(ada, { hosts }),
  await store.add(bob, { hosts }),
];

describe('an answer for good', () => {
  it('outlives the page, together with the intermediates it named', async () => {
    const { url, port } = await listen();
    const [, stored] = await addBoth(['localhost']);
    const first = await page(choosing(stored as StoredIdentity, 'permanent'));
    expect(await first.text(url)).toBe('Bob');
    expect(await first.client.answers()).toEqual([
      {
        method: 'client-certificate',
        host: `localhost:${port}`,
        persistence: 'permanent',
        identity: expect.objectContaining({ id: stored?.id }),
      },
    ]);
    const second = await page(nobody);
    expect(await second.text(url)).toBe('Bob');
    expect(second.asked).toEqual([]);
  });

  it('is for its host and port', async () => {
    const [one, other] = [await listen(), await listen()];
    const [stored] = await addBoth(['localhost']);
    expect(await (await page(choosing(stored as StoredIdentity, 'permanent'))).text(one.url)).toBe('Ada');
    const next = await page(nobody);
    expect(await next.text(other.url)).toBe('nobody');
    expect(next.asked).toEqual(['client-certificate']);
  });

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['deleted', id => store.delete({ id })],
    ['meant for other hosts', id => store.update(id, { hosts: ['elsewhere.example'] })],
    ['out of time', id => store.update(id, { expiresAt: new Date(Date.now() - 1) })],
  ])('ends when the identity is %s', async (_, change) => {
    const { url } = await listen();
    const [stored] = await addBoth(['localhost']);
    const { id } = stored as StoredIdentity;
    const first = await page(choosing(stored as StoredIdentity, 'permanent'));
    expect(await first.text(url)).toBe('Ada');
    await change(id);
    const next = await page(nobody);
    expect(await next.text(url)).toBe('nobody');
    expect(next.asked).toEqual(['client-certificate']);
  });

  it('goes over to the identity that renews it', async () => {
    const { url } = await listen();
    const [stored] = await addBoth(['localhost']);
    const identity = stored as StoredIdentity;
    expect(await (await page(choosing(identity, 'permanent'))).text(url)).toBe('Ada');
    const signer = new RequestSigner();
    const issue = async (request: Uint8Array | undefined) => signer.issue(request ?? new Uint8Array());
    const engine = engineModule();
    const renewed = await renew(identity, { issue, renew: issue }, { store, newKey: 'ECDSA P-256', engine });
    signer.close();
    expect(renewed.id).not.toBe(identity.id);
    const next = await page(nobody);
    expect(await next.client.answers()).toMatchObject([{ identity: { id: renewed.id } }]);
    expect([await next.text(url), next.asked]).toEqual(['Ada', []]);
  });

  it('is for the session where the identity is in no store', async () => {
    const { url } = await listen();
    const carol = await identityOf(pki.issue({ subject: '/CN=Carol' }));
    const first = await page(choosing(carol, 'permanent'));
    expect(await first.text(url)).toBe('Carol');
    expect(await first.client.answers()).toMatchObject([{ persistence: 'session' }]);
    expect(await (await page(nobody)).text(url)).toBe('nobody');
  });

  it('is asked for again where it names an identity that is deleted already', async () => {
    const { url } = await listen();
    const [stored, other] = await addBoth(['localhost']);
    await store.delete({ id: stored?.id as string });
    let chosen = stored as StoredIdentity;
    const { asked, text } = await page(() => choosing(chosen, 'session')());
    await expect(text(url)).rejects.toMatchObject({ code: 'ERR_IDENTITY_NOT_FOUND' });
    chosen = other as StoredIdentity;
    expect(await text(url)).toBe('Bob');
    expect(asked).toHaveLength(2);
  });

  it('trusts this certificate of an untrusted server, and no other', async () => {
    const { url, port, server } = await listen();
    const first = await page(trusting('permanent'), { anchors: [] });
    await expect(first.text(url)).rejects.toThrow(TypeError); // the same answer is none to the server's question
    expect(first.asked).toEqual(['server-trust', 'client-certificate']);
    const answer = (challenge: Challenge): Disposition =>
      challenge.method === 'server-trust' ? { disposition: 'cancel' } : { disposition: 'reject' };
    const second = await page(answer, { anchors: [] });
    expect(await second.text(url)).toBe('nobody');
    expect(second.asked).toEqual(['client-certificate']);
    const [kept] = await second.client.answers();
    expect(kept).toMatchObject({ method: 'server-trust', persistence: 'permanent' });
    expect(kept?.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    await second.client.close();
    const closed = once(server, 'close');
    server.close();
    await closed;
    await listen(renewedPair, port);
    const third = await page(answer, { anchors: [] });
    await expect(third.text(url)).rejects.toMatchObject({ cause: { code: 'ERR_TLS_CHALLENGE_CANCELLED' } });
  });
});

describe('a server that an answer for good trusts', () => {
  const OTHER_KEY = `sha256/${Buffer.alloc(32, 7).toString('base64')}`;
  const pinned = { localhost: [OTHER_KEY] };
  const replacing = { localhost: { sha256: [OTHER_KEY], replacesAnchors: true } } as const;

  it.each<[string, () => TrustOptions, string]>([
    ['by pins', () => ({ anchors: [], pins: pinned }), 'ERR_TLS_PIN'],
    ['by pins beside an anchor', () => ({ anchors: [pki.ca.cert], pins: pinned }), 'ERR_TLS_PIN'],
    ['by pins in place of anchors', () => ({ pins: replacing }), 'ERR_TLS_PIN'],
    ['by trust.evaluate', () => ({ anchors: [], evaluate: () => false }), 'ERR_TLS_CERT_UNTRUSTED'],
  ])('is refused %s, which the answer does not reach', async (_, trust, code) => {
    const { url } = await listen();
    const answer = (challenge: Challenge): Disposition =>
      challenge.method === 'server-trust' ? trusting('permanent')() : nobody();
    expect(await (await page(answer, { anchors: [] })).text(url)).toBe('nobody');
    // The script may be there at the later visit as well.
    const later = await page(answer, trust());
    await expect(later.text(url)).rejects.toMatchObject({ code });
    await expect(later.text(url)).rejects.toMatchObject({ code });
    expect(await (await page(answer, { anchors: [] })).text(url)).toBe('nobody');
  });

  it('is not trusted by a client without a handler', async () => {
    const { url } = await listen();
    const first = await page(
      challenge => (challenge.method === 'server-trust' ? trusting('permanent')() : nobody()),
      {
        anchors: [],
      },
    );
    expect(await first.text(url)).toBe('nobody');
    const client = await createClient({ tunnel: tcpTunnel, identities: store, engine: engineModule() });
    clients.push(client);
    await expect(client.fetch(url)).rejects.toMatchObject({ code: 'ERR_TLS_CERT_UNTRUSTED' });
  });

  it('is asked about again at the next request, when another page has forgotten the answer', async () => {
    const { url } = await listen(serverPair, 0, false);
    const answers = [trusting('permanent'), (): Disposition => ({ disposition: 'cancel' })];
    const { text, asked } = await page(() => answers[Math.min(asked.length - 1, 1)]?.() as Disposition, {
      anchors: [],
    });
    expect([await text(url), await text(url)]).toEqual(['nobody', 'nobody']);
    await (await page(nobody)).client.forget('elsewhere.example');
    expect([await text(url), asked.length]).toEqual(['nobody', 1]);
    await (await page(nobody)).client.forget('localhost');
    await expect(text(url)).rejects.toMatchObject({ code: 'ERR_TLS_CHALLENGE_CANCELLED' });
  });
});

describe('forget', () => {
  it('asks again at the next request, and lets what is in progress end', async () => {
    const { url, server } = await listen();
    const [adaStored, bobStored] = await addBoth(['localhost']);
    let next = adaStored as StoredIdentity;
    const { client, asked, text } = await page(() => choosing(next, 'session')());
    const slow = await client.fetch(`${url}slow`);
    expect(await text(url)).toBe('Ada');
    next = bobStored as StoredIdentity;
    expect(await text(url)).toBe('Ada');
    await client.forget('localhost');
    expect(await client.answers()).toEqual([]);
    expect(await text(url)).toBe('Bob');
    server.emit('release');
    expect(await slow.text()).toBe('Ada');
    expect(asked).toHaveLength(2);
  });

  it.each<[string, Persistence]>([
    ['host', 'permanent'],
    ['host:port', 'permanent'],
    ['', 'permanent'],
    ['host:port', 'session'],
  ])('takes "%s" back what was answered %s', async (form, persistence) => {
    const { url, port } = await listen();
    const other = await listen();
    const [stored] = await addBoth(['localhost']);
    const { client, text } = await page(choosing(stored as StoredIdentity, persistence));
    expect([await text(url), await text(other.url)]).toEqual(['Ada', 'Ada']);
    const host = { host: 'LOCALHOST', 'host:port': `localhost:${port}`, '': undefined }[form];
    await client.forget(host);
    const left = (await client.answers()).map(it => it.host);
    expect(left).toEqual(form === 'host:port' ? [`localhost:${other.port}`] : []);
    if (persistence !== 'permanent') return;
    const next = await page(nobody);
    expect(await next.text(url)).toBe('nobody');
    expect(await next.text(other.url)).toBe(form === 'host:port' ? 'Ada' : 'nobody');
  });

  it('takes back that nothing was to be shown', async () => {
    const { url } = await listen();
    const { client, asked, text } = await page(nobody);
    expect([await text(url), await text(url), asked.length]).toEqual(['nobody', 'nobody', 1]);
    expect(await client.answers()).toMatchObject([{ method: 'client-certificate', persistence: 'session' }]);
    await client.forget('localhost');
    expect([await text(url), asked.length]).toEqual(['nobody', 2]);
  });

  it('leaves a question alone that is still open', async () => {
    const { url } = await listen();
    const [stored] = await addBoth(['localhost']);
    let decide = () => {};
    const decided = new Promise<void>(resolve => {
      decide = resolve;
    });
    const { client, asked, text } = await page(async () => {
      await decided;
      return choosing(stored as StoredIdentity, 'permanent')();
    });
    const waiting = text(url);
    await expect.poll(() => asked.length).toBe(1);
    await client.forget('localhost');
    decide();
    expect(await waiting).toBe('Ada');
    expect(await client.answers()).toMatchObject([{ persistence: 'permanent' }]);
    expect([await text(url), asked.length]).toEqual(['Ada', 1]);
  });

  it('by another page is noticed at the next connection', async () => {
    const { url, server } = await listen();
    const [adaStored] = await addBoth(['localhost']);
    const first = await page(choosing(adaStored as StoredIdentity, 'permanent'));
    const second = await page(nobody);
    expect([await first.text(url), await second.text(url)]).toEqual(['Ada', 'Ada']);
    await first.client.forget();
    server.closeAllConnections();
    await expect.poll(() => second.text(url)).toBe('nobody');
  });

  it('takes no pattern that is none', async () => {
    const { client } = await page(nobody);
    await expect(client.forget('https://localhost/')).rejects.toThrow(TypeError);
  });
});

describe('a damaged record', () => {
  /** Changes a record past the library. */
  async function damage(name: string, change: (record: Record<string, unknown>) => boolean): Promise<void> {
    const database = await openDB('browser-mtls');
    for (const record of await database.getAll(name)) if (change(record)) await database.put(name, record);
    database.close();
  }

  it('of an answer is no answer: the question is asked again', async () => {
    const { url } = await listen();
    const [, stored] = await addBoth(['localhost']);
    const first = await page(choosing(stored as StoredIdentity, 'permanent'));
    expect(await first.text(url)).toBe('Bob');
    await damage('answers', record => {
      record.intermediates = [new Uint8Array([1, 2, 3])];
      return true;
    });
    const second = await page(choosing(stored as StoredIdentity, 'permanent'));
    expect(await second.text(url)).toBe('Bob');
    expect(second.asked).toEqual(['client-certificate']);
    const third = await page(nobody);
    expect(await third.text(url)).toBe('Bob');
  });

  it('of an identity leaves the others: its certificate cannot be read', async () => {
    const { url } = await listen();
    const [damaged, other] = await addBoth(['localhost']);
    await damage('identities', record => {
      const [certificate] = record.chain as { der: Uint8Array }[];
      if (record.id !== damaged?.id || !certificate) return false;
      certificate.der = new Uint8Array([0x30, 0x03, 1, 2, 3]);
      return true;
    });
    const found: Challenge[] = [];
    const asking = await page(challenge => {
      found.push(challenge);
      return { disposition: 'default' };
    });
    expect(await asking.text(url)).toBe('Bob');
    expect(found).toMatchObject([
      {
        candidates: [{ id: other?.id }],
        others: [{ identity: { id: damaged?.id }, code: 'ERR_CERT_MALFORMED', selectable: false }],
      },
    ]);
  });
});
