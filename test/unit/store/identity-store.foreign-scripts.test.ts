import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyAccessOf } from '../../../src/identity/key-access.js';
import type { Identity } from '../../../src/identity/types.js';
import { createIdentity, pendingEnrolments } from '../../../src/index.js';
import { IdentityStore } from '../../../src/store/identity-store.js';
import { type IdentityChange, readChange } from '../../../src/store/tabs/identity-change.js';
import { passphraseVerification } from '../../../src/store/verification/passphrase-verification.js';
import { webAuthnVerification } from '../../../src/store/verification/webauthn-verification.js';
import { identityOf } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import { type KeyPair, OpensslPki } from '../../support/openssl-pki.js';

// What any script of the origin can write and say.

const target = { hostname: 'api.example.com', port: 443 };
const engine = engineModule();
let adaPair: KeyPair;
let ada: Identity;
let bob: Identity;
let store: IdentityStore;
let seen: IdentityChange[];
const verification = passphraseVerification({ ask: () => 'sesame' });

beforeAll(async () => {
  const pki = new OpensslPki();
  adaPair = pki.issue({ subject: '/CN=Ada' });
  bob = await identityOf(pki.issue({ subject: '/CN=Bob' }));
  pki.close();
}, 30_000);
beforeEach(async () => {
  ada = await identityOf(adaPair, { sealedCopy: true });
  globalThis.indexedDB = new IDBFactory();
  store = await IdentityStore.open({ verification });
  seen = [];
  store.observe(change => seen.push(change));
});
afterEach(() => store.close());

const promised = <T>(request: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Of a length and without members, which `every` skips; the longest takes it a minute. */
const holes = (length: number) => Object.assign([], { length });

/** Writes past the library. */
async function write(name: string, value: unknown, key?: IDBValidKey): Promise<void> {
  const database = await promised(indexedDB.open('browser-mtls'));
  await promised(database.transaction(name, 'readwrite').objectStore(name).put(value, key));
  database.close();
}

async function readRaw<T>(name: string, key: IDBValidKey): Promise<T> {
  const database = await promised(indexedDB.open('browser-mtls'));
  const value = await promised(database.transaction(name).objectStore(name).get(key));
  database.close();
  return value as T;
}

/** Damages the record of an identity, or of an enrolment. */
async function damage(
  name: string,
  id: string,
  change: (record: Record<string, unknown>) => void,
): Promise<void> {
  const record = await readRaw<Record<string, unknown>>(name, id);
  change(record);
  await write(name, record);
}

/** Says something to every tab; resolves when this one has dealt with it. */
async function say(...messages: unknown[]): Promise<void> {
  const channel = new BroadcastChannel('browser-mtls:browser-mtls');
  for (const message of messages) channel.postMessage(message);
  channel.close();
  // A change of another tab comes behind them.
  const other = await IdentityStore.open();
  const { id } = await other.add(bob);
  await expect.poll(() => seen).toContainEqual({ type: 'added', id });
  await other.delete({ id });
  await expect.poll(() => seen).toContainEqual({ type: 'deleted', id });
  other.close();
  seen = seen.filter(it => it.id !== id);
}

describe('a message', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'deleted'],
    ['a number', 5],
    ['a list', ['deleted', 'x']],
    ['no id', { type: 'deleted' }],
    ['an id that is an object', { type: 'deleted', id: { toString: () => 'x' } }],
    ['an id that is large', { type: 'deleted', id: 'x'.repeat(10_000_000) }],
    ['another type', { type: 'constructor', id: 'x' }],
    ['a type that is a list', { type: ['deleted'], id: 'x' }],
    [
      'a member that throws',
      {
        get type() {
          throw new Error('no');
        },
        id: 'x',
      },
    ],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
        },
      ),
    ],
    ['a map', new Map([['type', 'deleted']])],
  ])('that is %s is none', (_what, message) => {
    expect(readChange(message)).toBeUndefined();
  });

  it('has its two members alone, whatever else comes along', () => {
    const odd = Object.assign(Object.create({ type: 'locked' }), {
      id: 'x',
      extra: new Uint8Array(1_000_000),
    });
    expect(readChange(odd)).toEqual({ type: 'locked', id: 'x' });
  });

  it('that is none, or of an identity that there is not, is told to nobody', async () => {
    await say(
      ...[undefined, null, 'deleted', 7, [], {}, new Map(), new Error('x'), { type: 'deleted' }, { id: 'x' }],
      ...['added', 'updated', 'deleted', 'locked', 'unlocked'].map(type => ({ type, id: 'nobody' })),
      { type: 'deleted', id: 'x'.repeat(1_000_000) },
    );
    expect(seen).toEqual([]);
  });

  it('that is not so is told to nobody, and locks at most', async () => {
    const { id } = await store.add(ada, { userVerification: 'required' });
    await store.unlock(id);
    seen = [];
    await say({ type: 'deleted', id }, { type: 'added', id });
    expect(seen).toEqual([{ type: 'locked', id }]);
    expect(await store.find()).toMatchObject([{ id, locked: true }]);
    await say({ type: 'unlocked', id });
    expect(await store.find()).toMatchObject([{ id, locked: true }]);
  });

  it('neither unlocks nor admits what the store has locked', async () => {
    const { id } = await store.add(bob, { hosts: ['api.example.com'] });
    await store.lock(id);
    const channel = new BroadcastChannel('browser-mtls:browser-mtls');
    channel.postMessage({ type: 'unlocked', id });
    channel.close();
    await expect.poll(() => seen.at(-1)).toEqual({ type: 'unlocked', id });
    await expect(store.use(id, target)).rejects.toMatchObject({ code: 'ERR_IDENTITY_LOCKED' });
  });

  it('of whom there are very many leaves the store as it is', async () => {
    const read = vi.spyOn(IDBObjectStore.prototype, 'getAllKeys');
    const forged = Array.from({ length: 20_000 }, (_, i) => ({
      type: ['added', 'deleted', 'updated'][i % 3],
      id: `forged ${i}`,
    }));
    await say(...forged);
    expect(seen).toEqual([]);
    // One look for many of them.
    expect(read.mock.calls.length).toBeLessThan(500);
    read.mockRestore();
  });

  it('ends the use of an identity on connections at once, before the store is asked', async () => {
    const added = await store.add(bob, { hosts: ['api.example.com'] });
    const told = vi.fn();
    keyAccessOf(added)?.onEnd(told);
    const channel = new BroadcastChannel('browser-mtls:browser-mtls');
    channel.postMessage({ type: 'deleted', id: added.id });
    await expect.poll(() => told).toHaveBeenCalled();
    channel.close();
    expect(await store.find()).toHaveLength(1);
  });

  it('is told in the order in which it came, with those of this tab', async () => {
    const other = await IdentityStore.open();
    const { id } = await other.add(bob);
    await expect.poll(() => seen).toHaveLength(1);
    await Promise.all([other.update(id, { label: 'x' }), store.lock(id)]);
    await other.delete({ id });
    await expect.poll(() => seen).toHaveLength(4);
    expect([seen[0]?.type, seen[3]?.type]).toEqual(['added', 'deleted']);
    other.close();
  });
});

describe('the record of an identity', () => {
  const exportable = crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ]);

  it.each<[string, (record: Record<string, unknown>) => unknown]>([
    ['a key that can be exported', async record => (record.keys = [(await exportable).privateKey])],
    ['a public key', async record => (record.keys = [(await exportable).publicKey])],
    ['no keys', record => (record.keys = [])],
    ['keys that are no list', record => (record.keys = { 0: 'x', length: 1 })],
    [
      'a wrapped key beside the others',
      record => (record.wrapped = { pkcs8: new ArrayBuffer(1), iv: new Uint8Array(12), method: 'x' }),
    ],
    ['a wrapped key that is null', record => Object.assign(record, { keys: [], wrapped: null })],
    [
      'a wrapped key without a method',
      record =>
        Object.assign(record, { keys: [], wrapped: { pkcs8: new ArrayBuffer(1), iv: new Uint8Array(12) } }),
    ],
    ['a session that it does not name', record => (record.controls = { persistence: 'session' })],
    [
      'a session that is no text',
      record => Object.assign(record, { controls: { persistence: 'session' }, session: {} }),
    ],
    ['null for its chain', record => (record.chain = null)],
    ['a hole for its certificate', record => (record.chain = holes(1))],
    ['a hole behind its certificate', record => (record.chain as unknown[]).length++],
    [
      'a member of its chain that has a name',
      record => Object.assign(record.chain as object, { length: 0, x: 1 }),
    ],
    ['holes for its other chains', record => (record.otherChains = [holes(1)])],
    ['very many holes for its other chains', record => (record.otherChains = holes(2 ** 32 - 1))],
    ['a hole for its key', record => (record.keys = holes(1))],
    [
      'a hole among its hosts',
      record => (record.controls = { hosts: Object.assign(['api.example.com'], { length: 2 }) }),
    ],
  ])('with %s cannot be read, and can be deleted', async (_what, change) => {
    const { id } = await store.add(bob, { hosts: ['api.example.com'] });
    const record = await readRaw<Record<string, unknown>>('identities', id);
    await change(record);
    await write('identities', record);
    expect(await store.find()).toEqual([]);
    expect(await store.problems()).toMatchObject([{ id, error: { code: 'ERR_STORE_RECORD' } }]);
    await expect(store.use(id, target)).rejects.toMatchObject({ code: 'ERR_STORE_RECORD' });
    await store.markUsed(id, target);
    expect(await readRaw('identities', id)).toEqual(record);
    expect(await store.delete({ id })).toBe(1);
    expect(await store.problems()).toEqual([]);
  });

  it('may have a number for its id', async () => {
    await write('identities', { id: 7, fingerprint: 'f' });
    expect(await store.problems()).toMatchObject([{ id: '7' }]);
    expect(await store.delete({ id: '7' })).toBe(1);
    expect(await store.problems()).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['none', undefined],
    ['a text', 'x'],
    ['too many iterations', { hash: 'SHA-256', salt: new Uint8Array(16), iterations: 2 ** 32 - 1 }],
    ['half an iteration', { hash: 'SHA-256', salt: new Uint8Array(16), iterations: 0.5 }],
    ['another derivation', { name: 'HKDF', hash: 'SHA-1', salt: new Uint8Array(16), iterations: 1 }],
    ['a salt that is a text', { hash: 'SHA-256', salt: 'salt', iterations: 1_000_000 }],
  ])('with %s for the parameters of its verification asks nobody', async (_what, parameters) => {
    const { id } = await store.add(ada, { userVerification: 'required' });
    await damage('identities', id, record => Object.assign(record.wrapped as object, { parameters }));
    const ask = vi.fn(() => 'sesame');
    const reopened = await IdentityStore.open({ verification: passphraseVerification({ ask }) });
    await expect(reopened.use(id, target)).rejects.toMatchObject({ code: 'ERR_STORE_RECORD' });
    expect(ask).not.toHaveBeenCalled();
    reopened.close();
    await damage('identities', id, record =>
      Object.assign(record.wrapped as object, { method: 'webauthn-prf' }),
    );
    const byAuthenticator = await IdentityStore.open({ verification: webAuthnVerification() });
    await expect(byAuthenticator.use(id, target)).rejects.toMatchObject({ code: 'ERR_STORE_RECORD' });
    byAuthenticator.close();
  });

  it('of a version before, with a wrapped key, is read', async () => {
    const { id } = await store.add(ada, { hosts: ['api.example.com'], userVerification: 'required' });
    const { pkcs8, iv, method, parameters } = (
      await readRaw<{ wrapped: Record<string, unknown> }>('identities', id)
    ).wrapped;
    await damage('identities', id, record => (record.wrapped = { method, parameters, pkcs8, iv }));
    expect(await store.use(id, target)).toMatchObject([{ type: 'private', extractable: false }]);
  });
});

describe('other records', () => {
  it('an enrolment that cannot be read leaves the others, and can be deleted', async () => {
    const good = await createIdentity({ subject: 'CN=Good', store, engine });
    const bad = await createIdentity({ subject: 'CN=Bad', store, engine });
    await damage('enrolments', bad.id, record => (record.createdAt = 'yesterday'));
    await write('enrolments', { id: 'odd' });
    expect((await pendingEnrolments(store, { engine })).map(it => it.id)).toEqual([good.id]);
    expect((await store.problems()).map(it => it.id).sort()).toEqual([bad.id, 'odd'].sort());
    for (const id of [bad.id, 'odd']) expect(await store.delete({ id })).toBe(1);
    expect(await store.problems()).toEqual([]);
    expect(await pendingEnrolments(store, { engine })).toHaveLength(1);
    // One that can be read is not an identity yet.
    expect(await store.delete({ id: good.id })).toBe(0);
    expect(await pendingEnrolments(store, { engine })).toHaveLength(1);
  });

  it.each([[null], ['x'], [[null, { at: 'x', host: 'h' }, { at: new Date(), host: 5 }]]])(
    'a journal of %j is empty, and goes on',
    async entries => {
      const { id } = await store.add(bob);
      await write('journal', { id, entries });
      expect(await store.journal(id)).toEqual([]);
      await store.markUsed(id, target);
      expect(await store.journal(id)).toMatchObject([{ host: 'api.example.com:443' }]);
    },
  );

  it('answers that cannot be read hold for nothing, and go when answers are deleted', async () => {
    const host = 'api.example.com:443';
    const good = { key: 'good', host, givenAt: new Date(), method: 'server-trust', fingerprint: 'f' };
    const odd = [
      { ...good, key: 'no time', givenAt: 'now' },
      { ...good, key: 'no fingerprint', fingerprint: 5 },
      { ...good, key: 'odd code', code: {} },
      { ...good, key: 'odd method', method: 'password' },
      { ...good, key: 'no identity', method: 'client-certificate' },
      {
        ...good,
        key: 'odd certificates',
        method: 'client-certificate',
        identityId: 'x',
        wasAllowed: true,
        intermediates: ['x'],
      },
      {
        ...good,
        key: 'a hole for certificates',
        method: 'client-certificate',
        identityId: 'x',
        wasAllowed: true,
        intermediates: holes(1),
      },
      { ...good, key: 'no port', host: 'api.example.com' },
      { ...good, key: 'odd host', host: 5 },
    ];
    for (const record of [good, ...odd]) await write('answers', record);
    expect((await store.answers.of(host)).map(it => it.key)).toEqual(['good']);
    expect((await store.answers.all()).map(it => it.key)).toEqual(['good']);
    await store.answers.delete(() => false);
    const database = await promised(indexedDB.open('browser-mtls'));
    expect(await promised(database.transaction('answers').objectStore('answers').getAllKeys())).toEqual([
      'good',
    ]);
    database.close();
  });
});
