import { forceCloseDatabase, IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyAccessOf } from '../../../src/identity/key-access.js';
import type { Identity, IdentityControls } from '../../../src/identity/types.js';
import { openPkcs12 } from '../../../src/p12/open-pkcs12.js';
import { IdentityStore } from '../../../src/store/identity-store.js';
import type { IdentityChange } from '../../../src/store/tabs/identity-change.js';
import { passphraseVerification } from '../../../src/store/verification/passphrase-verification.js';
import type { HostPort } from '../../../src/util/host-port.js';
import { engineModule } from '../../support/engine.js';
import { OpensslFiles } from '../../support/openssl-files.js';

const target: HostPort = { hostname: 'api.example.com', port: 443 };
let ada: Identity;
let bob: Identity;
let adaFile: Uint8Array<ArrayBuffer>;
let bobFile: Uint8Array<ArrayBuffer>;
let store: IdentityStore;

beforeAll(async () => {
  const files = new OpensslFiles();
  adaFile = files.export(files.client('rsa2048'), { args: ['-name', 'Ada'] });
  bobFile = files.export(files.client('p256'), { args: ['-name', 'Bob'] });
  files.close();
}, 30_000);

beforeEach(async () => {
  const read = async (file: Uint8Array<ArrayBuffer>) => {
    const options = { password: 'secret', sealedCopy: true, engine: engineModule() };
    const { identities } = await openPkcs12(file, options);
    return identities[0] as Identity;
  };
  ada = await read(adaFile);
  bob = await read(bobFile);
  globalThis.indexedDB = new IDBFactory();
  store = await IdentityStore.open();
});
afterEach(() => {
  store.close();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const promised = <T>(request: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** The database as the library's first version made and filled it. */
async function openVersion1(): Promise<IDBDatabase> {
  const opening = indexedDB.open('old', 1);
  opening.onupgradeneeded = () => {
    const identities = opening.result.createObjectStore('identities', { keyPath: 'id' });
    identities.createIndex('fingerprint', 'fingerprint', { unique: true });
  };
  const database = await promised(opening);
  const { certificate, chain, keys, trust } = bob;
  const { chain: _, ...judgement } = trust;
  const record = {
    id: 'bob',
    fingerprint: certificate.fingerprint,
    chain,
    keys,
    trust: judgement,
    controls: { hosts: ['example.com'] },
    createdAt: new Date(1_700_000_000_000),
  };
  await promised(database.transaction('identities', 'readwrite').objectStore('identities').put(record));
  return database;
}

describe('a store of version 1', () => {
  it('is taken over with all that is in it', async () => {
    (await openVersion1()).close();
    const upgraded = await IdentityStore.open({ name: 'old' });
    const [found] = await upgraded.find();
    expect(found).toMatchObject({ id: 'bob', controls: { hosts: ['example.com'] }, locked: false });
    expect(await upgraded.use('bob', { hostname: 'example.com', port: 443 })).toHaveLength(1);
    await upgraded.markUsed('bob', target);
    expect(await upgraded.journal('bob')).toHaveLength(1);
    await expect(upgraded.add(bob)).rejects.toMatchObject({ code: 'ERR_IDENTITY_DUPLICATE' });
    upgraded.close();
  });

  it('that another tab holds open is told after a while', async () => {
    const held = await openVersion1();
    await expect(IdentityStore.open({ name: 'old' })).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      message: expect.stringMatching(/older version/),
    });
    held.close();
    const upgraded = await IdentityStore.open({ name: 'old' });
    expect(await upgraded.find()).toHaveLength(1);
    upgraded.close();
  }, 15_000);
});

describe('use', () => {
  const outcome = async (controls: IdentityControls, at: HostPort = target) => {
    const { id } = await store.add(bob, controls);
    try {
      return (await store.use(id, at)).length;
    } catch (error) {
      return (error as { code?: string }).code;
    } finally {
      await store.delete({ id });
    }
  };

  it('enforces hosts and expiry', async () => {
    expect(await outcome({})).toBe(1);
    expect(await outcome({ hosts: ['*.example.com'] })).toBe(1);
    expect(await outcome({ hosts: ['api.example.com:8443'] })).toBe('ERR_IDENTITY_NOT_ALLOWED');
    expect(await outcome({ expiresAt: new Date(Date.now() + 60_000) })).toBe(1);
    expect(await outcome({ expiresAt: new Date(Date.now() - 1) })).toBe('ERR_IDENTITY_EXPIRED');
    await expect(store.use('nobody', target)).rejects.toMatchObject({ code: 'ERR_IDENTITY_NOT_FOUND' });
  });

  it('counts idle time from the last use, of whatever tab', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const other = await IdentityStore.open();
    const { id } = await store.add(bob, { idleTimeoutMs: 1_000 });
    vi.setSystemTime(Date.now() + 900);
    await other.markUsed(id, target);
    vi.setSystemTime(Date.now() + 900);
    expect(await store.use(id, target)).toHaveLength(1);
    vi.setSystemTime(Date.now() + 200);
    await expect(store.use(id, target)).rejects.toMatchObject({ code: 'ERR_IDENTITY_LOCKED' });
    expect(await store.find()).toMatchObject([{ locked: true }]);
    expect(await other.unlock(id)).toMatchObject({ locked: false });
    expect(await store.use(id, target)).toHaveLength(1);
    other.close();
  });

  it('waits for unlock after lock, in every tab', async () => {
    const other = await IdentityStore.open();
    await store.add(ada);
    const { id } = await store.add(bob);
    await store.lock();
    await expect(other.use(id, target)).rejects.toMatchObject({ code: 'ERR_IDENTITY_LOCKED' });
    expect((await other.find()).map(it => it.locked)).toEqual([true, true]);
    await other.unlock(id);
    expect(await store.use(id, target)).toHaveLength(1);
    await expect(store.lock('nobody')).rejects.toMatchObject({ code: 'ERR_IDENTITY_NOT_FOUND' });
    other.close();
  });

  it('waits for unlock after a lock of all, which a deletion in another tab does not disturb', async () => {
    const other = await IdentityStore.open();
    for (let round = 0; round < 5; round++) {
      const first = await store.add(ada);
      const second = await store.add(bob);
      await Promise.all([store.lock(), other.delete({ id: first.id })]);
      await expect(other.use(second.id, target)).rejects.toMatchObject({ code: 'ERR_IDENTITY_LOCKED' });
      await store.delete({ id: second.id });
    }
    other.close();
  });
});

describe('user verification', () => {
  const noCopy = { code: 'ERR_IDENTITY_NO_SEALED_COPY', message: /sealedCopy/ };
  const asking = (...answers: (string | undefined)[]) => {
    const asked: string[] = [];
    const verification = passphraseVerification({
      ask: ({ purpose, attempt }) => {
        asked.push(`${purpose} ${attempt}`);
        return answers.shift();
      },
    });
    return { asked, verification };
  };
  const openWith = (verification: ReturnType<typeof passphraseVerification>, unlockedForMs?: number) =>
    IdentityStore.open({ name: 'verified', verification, ...(unlockedForMs && { unlockedForMs }) });

  it('ends the sealed copy once the wrapped key is stored, and not before', async () => {
    const { verification } = asking(undefined, 'sesame', 'sesame');
    const verified = await openWith(verification);
    const controls = { userVerification: 'required' } as const;
    await expect(verified.add(ada, controls)).rejects.toMatchObject({ code: 'ERR_VERIFICATION_FAILED' });
    const { id } = await verified.add(ada, controls);
    await verified.delete({ id });
    await expect(verified.add(ada, controls)).rejects.toMatchObject(noCopy);
    // Without verification there is nothing to wrap.
    await store.add(bob);
    await verified.add(bob, controls);
    verified.close();
  });

  it('stores no key, and gives keys that cannot be exported to all who wait, for one answer', async () => {
    const { asked, verification } = asking('sesame', 'sesame');
    const verified = await openWith(verification);
    const added = await verified.add(ada, { userVerification: 'required' });
    expect(added).toMatchObject({ locked: true, keys: [] });
    const [first, second] = await Promise.all([
      verified.use(added.id, target),
      verified.use(added.id, target),
    ]);
    expect(asked).toEqual(['set 1', 'unlock 1']);
    expect(first).toHaveLength(6);
    expect(second).toBe(first);
    expect(first?.some(key => key.extractable)).toBe(false);
    expect(await verified.find()).toMatchObject([{ locked: false, keys: [] }]);
    verified.close();
  });

  it('asks again after a wrong answer, and gives up after three', async () => {
    const { asked, verification } = asking('sesame', 'a', 'b', 'c', 'd', 'sesame');
    const verified = await openWith(verification);
    const { id } = await verified.add(bob, { userVerification: 'required' });
    await expect(verified.use(id, target)).rejects.toMatchObject({ code: 'ERR_VERIFICATION_FAILED' });
    expect(await verified.unlock(id)).toMatchObject({ locked: false });
    expect(asked).toEqual(['set 1', 'unlock 1', 'unlock 2', 'unlock 3', 'unlock 1', 'unlock 2']);
    verified.close();
  }, 30_000);

  it('that is declined stores nothing, and unlocks nothing', async () => {
    const { verification } = asking(undefined, 'sesame', undefined);
    const verified = await openWith(verification);
    const declined = { code: 'ERR_VERIFICATION_FAILED' };
    await expect(verified.add(bob, { userVerification: 'required' })).rejects.toMatchObject(declined);
    expect(await verified.find()).toEqual([]);
    const { id } = await verified.add(bob, { userVerification: 'required' });
    await expect(verified.use(id, target)).rejects.toMatchObject(declined);
    verified.close();
  });

  it('is forgotten after its time, by the clock even when timers sleep, and by lock', async () => {
    const { asked, verification } = asking('sesame', 'sesame', 'sesame', 'sesame');
    const verified = await openWith(verification, 1_000);
    const { id } = await verified.add(bob, { userVerification: 'required' });
    await verified.use(id, target);
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 1_100);
    expect(await verified.find()).toMatchObject([{ locked: true }]);
    await verified.use(id, target);
    await verified.lock(id);
    await verified.use(id, target);
    expect(asked).toHaveLength(4);
    verified.close();
  }, 30_000);

  it('goes on for the others when one gives up waiting', async () => {
    let answer: (passphrase: string) => void = () => {};
    const answers = ['sesame'];
    const verification = passphraseVerification({
      ask: () => answers.shift() ?? new Promise<string>(resolve => (answer = resolve)),
    });
    const verified = await openWith(verification);
    const { id } = await verified.add(bob, { userVerification: 'required' });
    const impatient = new AbortController();
    const first = verified.use(id, target, { signal: impatient.signal });
    const second = verified.use(id, target);
    await expect.poll(() => answer.length).toBe(1);
    impatient.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    answer('sesame');
    expect(await second).toHaveLength(1);
    verified.close();
  });

  it('fails for what is no passphrase', async () => {
    const verified = await openWith(passphraseVerification({ ask: () => 5 as never }));
    await expect(verified.add(bob, { userVerification: 'required' })).rejects.toThrow(
      /^"ask" must return a string/,
    );
    verified.close();
  });

  it('comes to nothing when the store closes while the person is asked', async () => {
    const answers = ['sesame'];
    let answer: (passphrase: string) => void = () => {};
    const verification = passphraseVerification({
      ask: () => answers.shift() ?? new Promise<string>(resolve => (answer = resolve)),
    });
    const verified = await openWith(verification);
    const [stored] = [await verified.add(bob, { userVerification: 'required' })];
    const using = verified.use(stored.id, target);
    await expect.poll(() => answer.length).toBe(1);
    verified.close();
    answer('sesame');
    await expect(using).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    expect(keyAccessOf(stored)?.ready()).toBe(false);
  });

  it('needs the way that the key was wrapped by, and is never turned off', async () => {
    const { verification } = asking('sesame');
    const verified = await openWith(verification);
    const { id } = await verified.add(bob, { userVerification: 'required' });
    await expect(verified.update(id, { userVerification: 'none' })).rejects.toBeInstanceOf(TypeError);
    verified.close();
    const byAuthenticator = await IdentityStore.open({ name: 'verified' });
    await expect(byAuthenticator.use(id, target)).rejects.toMatchObject({
      code: 'ERR_VERIFICATION_UNAVAILABLE',
    });
    await expect(byAuthenticator.add(ada, { userVerification: 'required' })).rejects.toMatchObject({
      code: 'ERR_VERIFICATION_UNAVAILABLE',
    });
    expect(await byAuthenticator.find()).toHaveLength(1);
    byAuthenticator.close();
  });

  it('takes no keys of another origin, which nothing can wrap any more', async () => {
    const { asked, verification } = asking('sesame', 'sesame');
    const verified = await openWith(verification);
    const generated = (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [
      'sign',
    ])) as CryptoKeyPair;
    const cloned = { ...bob, keys: structuredClone(bob.keys) };
    for (const foreign of [{ ...bob, keys: [generated.privateKey] }, cloned])
      await expect(verified.add(foreign, { userVerification: 'required' })).rejects.toMatchObject(noCopy);
    expect(asked).toEqual([]);
    expect(await verified.find()).toEqual([]);
    verified.close();
  });

  it('takes an identity that was opened for it alone, and asks nobody for another', async () => {
    const { asked, verification } = asking('sesame');
    const verified = await openWith(verification);
    const { identities } = await openPkcs12(bobFile, { password: 'secret', engine: engineModule() });
    const plain = identities[0] as Identity;
    await expect(verified.add(plain, { userVerification: 'required' })).rejects.toMatchObject(noCopy);
    const { id } = await verified.add(plain);
    await expect(verified.update(id, { userVerification: 'required', label: 'x' })).rejects.toMatchObject(
      noCopy,
    );
    expect(await verified.find()).toMatchObject([
      { label: 'Bob', controls: { label: 'Bob' }, locked: false },
    ]);
    expect(asked).toEqual([]);
    verified.close();
  });
});

describe('the journal', () => {
  it('has when and where, once a minute and host, and not more than a hundred', async () => {
    const { id } = await store.add(bob);
    const start = Date.now();
    for (let i = 0; i < 130; i++)
      await store.markUsed(id, { hostname: `h${i}`, port: 1 }, new Date(start + i));
    await Promise.all(
      Array.from({ length: 10 }, (_, i) => store.markUsed(id, target, new Date(start + 1_000 + i))),
    );
    const journal = await store.journal(id);
    expect(journal).toHaveLength(100);
    expect(journal.filter(it => it.host === 'api.example.com:443')).toHaveLength(1);
    expect(journal[0]?.host).toBe('h31:1');
    await store.delete({ id });
    expect(await store.journal(id)).toEqual([]);
  });
});

describe('changes', () => {
  it('are told here and in other tabs, until nobody listens', async () => {
    const other = await IdentityStore.open();
    const here: IdentityChange[] = [];
    const there: IdentityChange[] = [];
    store.observe(() => {
      throw new Error('of a listener, which nobody minds');
    });
    const failures: unknown[] = [];
    const noted = (error: unknown) => failures.push(error);
    process.prependListener('uncaughtException', noted);
    const original = process.listeners('uncaughtException').filter(it => it !== noted);
    for (const listener of original) process.removeListener('uncaughtException', listener);
    const stop = store.observe(change => here.push(change));
    other.observe(change => there.push(change));
    const { id } = await store.add(bob);
    await store.update(id, { label: 'Robert' });
    await other.lock(id);
    await other.unlock(id);
    await expect.poll(() => here).toHaveLength(4);
    stop();
    await store.delete({ id });
    const types = ['added', 'updated', 'locked', 'unlocked', 'deleted'];
    await expect.poll(() => there).toEqual(types.map(type => ({ type, id })));
    expect(here.map(it => it.type)).toEqual(types.slice(0, 4));
    expect(failures.length).toBeGreaterThan(0);
    for (const listener of original) process.on('uncaughtException', listener);
    process.removeListener('uncaughtException', noted);
    other.close();
  });

  it('call back whoever has the keys of an identity', async () => {
    const added = await store.add(bob);
    const access = keyAccessOf({ ...added });
    const called = vi.fn();
    access?.onEnd(called);
    expect(access?.ready()).toBe(true);
    await store.markUsed(added.id, target);
    expect(called).not.toHaveBeenCalled();
    await store.delete({ id: added.id });
    expect(called).toHaveBeenCalledOnce();
    await expect(access?.use(target)).rejects.toMatchObject({ code: 'ERR_IDENTITY_NOT_FOUND' });
  });
});

describe('what goes wrong', () => {
  it('in one record leaves the others, and the record can be deleted', async () => {
    await store.add(bob);
    const database = await promised(indexedDB.open('browser-mtls'));
    const records = database.transaction('identities', 'readwrite').objectStore('identities');
    await promised(records.put({ id: 'broken', fingerprint: 'f', chain: [], keys: [] }));
    database.close();
    expect(await store.find()).toHaveLength(1);
    expect(await store.problems()).toMatchObject([{ id: 'broken', error: { code: 'ERR_STORE_RECORD' } }]);
    await expect(store.use('broken', target)).rejects.toMatchObject({ code: 'ERR_STORE_RECORD' });
    await expect(store.find({ id: 'broken' })).resolves.toEqual([]);
    expect(await store.delete({ id: 'broken' })).toBe(1);
    expect(await store.problems()).toEqual([]);
    expect(await store.find()).toHaveLength(1);
  });

  it.each<[what: string, damage: (record: Record<string, unknown>) => void]>([
    ['no chain', record => delete record.chain],
    ['no certificate in the chain', record => (record.chain = [null])],
    ['no fingerprint', record => delete record.fingerprint],
    ['no controls', record => delete record.controls],
    ['hosts that are a text', record => (record.controls = { hosts: 'example.com' })],
    ['hosts that are no patterns', record => (record.controls = { hosts: ['**'] })],
    ['an expiry that is a text', record => (record.controls = { expiresAt: '2020-01-01' })],
    ['a control of another version', record => (record.controls = { onlyOnSundays: true })],
    ['no time of creation', record => (record.createdAt = new Date(Number.NaN))],
    ['a last use that is a text', record => (record.lastUsedAt = 'yesterday')],
    ['things instead of keys', record => (record.keys = [{}])],
  ])('in a record that has %s is told by one code, and nothing is written to it', async (_what, damage) => {
    const { id } = await store.add(bob);
    await store.add(ada, { hosts: ['api.example.com'] });
    const database = await promised(indexedDB.open('browser-mtls'));
    const identities = () => database.transaction('identities', 'readwrite').objectStore('identities');
    const record = await promised<Record<string, unknown>>(identities().get(id));
    damage(record);
    await promised(identities().put(record));
    expect(await store.find({ host: 'api.example.com' })).toHaveLength(1);
    expect(await store.problems()).toMatchObject([{ id, error: { code: 'ERR_STORE_RECORD' } }]);
    const uses = [store.use(id, target), store.update(id, { label: 'x' }), store.unlock(id), store.lock(id)];
    for (const { reason } of (await Promise.allSettled(uses)) as PromiseRejectedResult[])
      expect(reason).toMatchObject({ name: 'MtlsError', code: 'ERR_STORE_RECORD' });
    await store.lock();
    expect(await promised(identities().get(id))).toEqual(record);
    database.close();
    expect(await store.delete({ id })).toBe(1);
    expect(await store.problems()).toEqual([]);
  });

  it('with the quota in the middle of a change leaves nothing half-written', async () => {
    const { id } = await store.add(bob);
    const put = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...args) {
      if (this.name === 'journal') throw new DOMException('full', 'QuotaExceededError');
      return put.apply(this, args as [unknown]);
    });
    await expect(store.markUsed(id, target)).rejects.toMatchObject({ code: 'ERR_STORE_QUOTA' });
    vi.restoreAllMocks();
    const [found] = await store.find();
    expect(found?.lastUsedAt).toBeUndefined();
    expect(await store.journal(id)).toEqual([]);
  });

  it('when the browser has closed the database is mended by the next call', async () => {
    await store.add(bob);
    const opened = vi.spyOn(indexedDB, 'open');
    // As a browser does when the person clears the site's data.
    const fresh = await IdentityStore.open({ name: 'evicted' });
    const request = opened.mock.results[0]?.value as IDBOpenDBRequest;
    const database = request.result;
    forceCloseDatabase(database as never);
    expect(await fresh.find()).toEqual([]);
    await fresh.add(ada);
    expect(await fresh.find()).toHaveLength(1);
    fresh.close();
  });

  it('at once in two tabs ends with what both did', async () => {
    const other = await IdentityStore.open();
    const outcomes = await Promise.allSettled([
      store.add(bob),
      other.add(bob),
      store.add(ada),
      other.add(ada),
    ]);
    expect(outcomes.filter(it => it.status === 'fulfilled')).toHaveLength(2);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'ERR_IDENTITY_DUPLICATE' });
    expect(await store.find()).toHaveLength(2);
    const deleted = await Promise.all([store.delete({ label: 'Bob' }), other.delete({ label: 'Bob' })]);
    expect(deleted.reduce((sum, it) => sum + it)).toBe(1);
    expect(await other.find()).toHaveLength(1);
    other.close();
  });
});

describe('find', () => {
  it('knows the DER names that a server sends', async () => {
    await store.add(bob);
    const { der } = bob.chain[0] as (typeof bob.chain)[number];
    const { issuerName } = await import('../../../src/identity/certificates/distinguished-names.js');
    const issuer = issuerName(der) as Uint8Array<ArrayBuffer>;
    expect(await store.find({ issuer })).toHaveLength(1);
    expect(await store.find({ issuer: issuer.slice().buffer })).toHaveLength(1);
    expect(await store.find({ issuer: [new Uint8Array([0x30, 0]), issuer] })).toHaveLength(1);
    expect(await store.find({ issuer: [new Uint8Array([0x30, 0])] })).toEqual([]);
    const root = issuerName(bob.chain.at(-1)?.der ?? new Uint8Array()) as Uint8Array<ArrayBuffer>;
    expect(await store.find({ issuer: root })).toHaveLength(1);
    await expect(store.find({ issuer: 7 as never })).rejects.toBeInstanceOf(TypeError);
  });
});
