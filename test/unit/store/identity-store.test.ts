import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { openDB } from 'idb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyAccessOf } from '../../../src/identity/key-access.js';
import type { Identity } from '../../../src/identity/types.js';
import { openPkcs12 } from '../../../src/p12/open-pkcs12.js';
import { IdentityStore } from '../../../src/store/identity-store.js';
import { engineModule } from '../../support/engine.js';
import { OpensslFiles } from '../../support/openssl-files.js';

let ada: Identity;
let bob: Identity;
let store: IdentityStore;

beforeAll(async () => {
  const files = new OpensslFiles();
  const read = async (name: string, args: string[]) => {
    const file = files.export(name, { args });
    const { identities } = await openPkcs12(file, { password: 'secret', engine: engineModule() });
    return identities[0] as Identity;
  };
  ada = await read(files.client('rsa2048'), ['-name', 'Ada']);
  bob = await read(files.client('p256'), []);
  files.close();
}, 30_000);

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  store = await IdentityStore.open();
});
afterEach(() => store.close());
afterAll(() => vi.restoreAllMocks());

it('keeps an identity from one opening to the next', async () => {
  const added = await store.add(ada, { hosts: ['example.com'] });
  store.close();
  store = await IdentityStore.open();
  const [found, ...others] = await store.find();
  expect(others).toEqual([]);
  expect(found).toEqual(added);
  expect(found).toMatchObject({
    label: 'Ada',
    controls: { label: 'Ada', hosts: ['example.com'] },
    keyId: ada.keyId,
  });
  expect(found?.certificate).toEqual(ada.certificate);
  expect(found?.trust).toEqual(ada.trust);
  for (const key of found?.keys ?? []) {
    expect(key.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('pkcs8', key)).rejects.toThrow();
  }
  const [key] = found?.keys ?? [];
  if (!key) throw new Error('no key');
  const algorithm = { name: 'RSA-PSS', saltLength: 32 };
  expect((await crypto.subtle.sign(algorithm, key, new Uint8Array(3))).byteLength).toBe(256);
});

it('keeps its hold on an identity to itself', async () => {
  const target = { hostname: 'example.com', port: 443 };
  const stored = await store.add(ada, { hosts: ['example.com'] });
  const other = await IdentityStore.open({ name: 'other' });
  const elsewhere = await other.add(ada);
  other.close();
  expect(keyAccessOf(ada)).toBeUndefined();
  expect(await keyAccessOf(stored)?.use(target)).toEqual(stored.keys);
  await expect(keyAccessOf(elsewhere)?.use(target)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
});

it('keeps stores of different names apart', async () => {
  await store.add(ada);
  const other = await IdentityStore.open({ name: 'other' });
  expect(await other.find()).toEqual([]);
  other.close();
});

describe('add', () => {
  it('refuses a certificate that is there', async () => {
    await store.add(ada);
    await expect(store.add(ada)).rejects.toMatchObject({
      code: 'ERR_IDENTITY_DUPLICATE',
      message: expect.stringContaining('delete it first'),
    });
    expect(await store.find()).toHaveLength(1);
  });

  it('lets one of two win that come at once', async () => {
    const second = await IdentityStore.open();
    const outcomes = await Promise.allSettled([store.add(ada), second.add(ada)]);
    second.close();
    expect(outcomes.map(it => it.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await store.find()).toHaveLength(1);
  });

  it('refuses keys that can be exported', async () => {
    const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
    ]);
    await expect(store.add({ ...bob, keys: [privateKey] })).rejects.toBeInstanceOf(TypeError);
    await expect(store.add({ ...bob, keys: [] })).rejects.toBeInstanceOf(TypeError);
    expect(await store.find()).toEqual([]);
  });

  it.each([
    { hosts: ['https://example.com'] },
    { hosts: 'example.com' },
    { label: 5 },
    { persistence: 'forever' },
    { idleTimeoutMs: 0 },
    { expiresAt: new Date(Number.NaN) },
    { userVerification: 'maybe' },
  ])('refuses the controls %j', async controls => {
    await expect(store.add(ada, controls as object)).rejects.toBeInstanceOf(TypeError);
    expect(await store.find()).toEqual([]);
  });
});

describe('find', () => {
  it('finds by each property', async () => {
    const { id } = await store.add(ada, { hosts: ['*.example.com', 'localhost:8443'] });
    await store.add(bob, { label: 'Bob' });
    const { subject, issuer, notAfter } = ada.certificate;
    for (const query of [
      { id },
      { label: 'Ada' },
      { keyId: ada.keyId?.toUpperCase() ?? '' },
      { subject },
      { issuer, label: 'Ada' },
      { host: 'A.example.com' },
      { host: 'a.example.com:8080' },
      { host: 'localhost:8443' },
    ]) {
      expect(
        (await store.find(query)).map(it => it.id),
        JSON.stringify(query),
      ).toEqual([id]);
    }
    // However they are written.
    for (const written of [
      subject.toLowerCase(),
      ` ${subject.replaceAll('=', ' =  ')} `,
      subject.replace('Ada', '\\41d\\61'),
    ])
      expect(
        (await store.find({ subject: written })).map(it => it.id),
        written,
      ).toEqual([id]);
    expect(await store.find({ issuer: issuer.toUpperCase() })).toHaveLength(2);
    expect(await store.find({ subject: `${subject},O=x` })).toEqual([]);
    expect(await store.find({ issuer })).toHaveLength(2);
    expect(await store.find({ validAt: new Date() })).toHaveLength(2);
    expect(await store.find({ validAt: new Date(notAfter.getTime() + 86_400_000) })).toEqual([]);
    expect(await store.find({ host: 'localhost' })).toEqual([]);
    expect(await store.find({ label: 'Ada', host: 'localhost' })).toEqual([]);
  });

  it.each([{ name: 'Ada' }, { id: undefined }, { validAt: 'today' }, { host: 'https://a' }])(
    'refuses the query %j',
    async query => {
      await expect(store.find(query as object)).rejects.toBeInstanceOf(TypeError);
    },
  );
});

describe('update', () => {
  it('changes what is named and leaves the rest', async () => {
    const { id } = await store.add(ada, { hosts: ['example.com'] });
    const updated = await store.update(id, { label: 'Countess' });
    expect(updated).toMatchObject({
      label: 'Countess',
      controls: { label: 'Countess', hosts: ['example.com'] },
    });
    expect(await store.find({ label: 'Countess' })).toEqual([updated]);
    await expect(store.update(id, { hosts: [' '] })).rejects.toBeInstanceOf(TypeError);
    await expect(store.update('nobody', { label: '' })).rejects.toMatchObject({
      code: 'ERR_IDENTITY_NOT_FOUND',
    });
  });

  it('notes the last use', async () => {
    const { id, lastUsedAt } = await store.add(ada);
    expect(lastUsedAt).toBeUndefined();
    const at = new Date(1_800_000_000_000);
    const target = { hostname: 'example.com', port: 443 };
    await store.markUsed(id, target, at);
    await store.markUsed('nobody', target);
    expect(await store.find()).toMatchObject([{ id, lastUsedAt: at }]);
  });
});

describe('delete', () => {
  it('deletes what the query holds for, and counts', async () => {
    await store.add(ada);
    await store.add(bob);
    expect(await store.delete({ label: 'Nobody' })).toBe(0);
    expect(await store.delete({ label: 'Ada' })).toBe(1);
    expect(await store.find()).toHaveLength(1);
  });

  it('does not take an empty query for all', async () => {
    await store.add(ada);
    for (const query of [{}, { id: undefined }]) {
      await expect(store.delete(query as object)).rejects.toBeInstanceOf(TypeError);
    }
    expect(await store.find()).toHaveLength(1);
  });
});

describe('trouble', () => {
  it('says when there is no IndexedDB', async () => {
    globalThis.indexedDB = undefined as unknown as IDBFactory;
    await expect(IdentityStore.open()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
  });

  it('says when it is closed', async () => {
    store.close();
    await expect(store.find()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    await expect(store.add(ada)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
  });

  it('makes way for a newer version, and does not open what that wrote', async () => {
    const newer = await openDB('browser-mtls', 99);
    newer.close();
    await expect(store.find()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    await expect(IdentityStore.open()).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      message: /newer/,
    });
  });

  it('says when there is no room, and keeps nothing of the change', async () => {
    const full = new DOMException('full', 'QuotaExceededError');
    vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementationOnce(() => {
      throw full;
    });
    await expect(store.add(ada)).rejects.toMatchObject({ code: 'ERR_STORE_QUOTA', cause: full });
    expect(await store.find()).toEqual([]);
  });
});
