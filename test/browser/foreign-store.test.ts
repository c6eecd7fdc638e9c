import { afterAll, beforeAll, expect, it } from 'vitest';
import type { IdentityChange } from '../../src/index.js';
import { inEachEngine, pageReady } from '../support/engines/each.js';
import { OpensslFiles } from '../support/openssl-files.js';
import { startUserPages, type UserPages } from '../support/user-page.js';

// Any script of the origin can write to the store's channel, locks and database.

const BEFORE = `globalThis.complaints = [];
for (const type of ['error', 'unhandledrejection']) addEventListener(type, event => complaints.push(String(event.message ?? event.reason)));
globalThis.open = async (name, options = {}) => {
  const { IdentityStore, passphraseVerification } = library;
  const verification = passphraseVerification({ ask: () => 'sesame' });
  return IdentityStore.open({ name, verification, ...options });
};
globalThis.identityOf = async content => {
  const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
  const { identities } = await library.openPkcs12(bytes, { password: 'secret', sealedCopy: true });
  return identities[0];
};`;

type Store = Awaited<ReturnType<typeof library.IdentityStore.open>>;
interface Page {
  complaints: string[];
  open(name: string): Promise<Store>;
  identityOf(content: string): Promise<Parameters<Store['add']>[0]>;
}

const files = new OpensslFiles();
const file = Buffer.from(files.export(files.client('p256'), { args: ['-name', 'Ada'] })).toString('base64');
let pages: UserPages;

beforeAll(async () => {
  pages = await startUserPages({ before: BEFORE });
});
afterAll(async () => {
  await pages?.stop();
  files.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    it('messages of other scripts neither throw, nor are told, nor unlock; they lock at most', async () => {
      const found = await browser.run(async (content: string) => {
        const { open, identityOf, complaints } = globalThis as unknown as Page;
        const store = await open('messages');
        const { id } = await store.add(await identityOf(content), { userVerification: 'required' });
        const seen: IdentityChange[] = [];
        store.observe(change => seen.push(change));
        const channel = new BroadcastChannel('browser-mtls:messages');
        class Odd {
          type = 'deleted';
          id = { nested: 'x' };
        }
        const circular: Record<string, unknown> = { type: 'deleted' };
        circular.id = circular;
        const forged: unknown[] = [
          ...[
            undefined,
            null,
            true,
            5,
            'deleted',
            [],
            {},
            new Date(),
            new Map([['type', 'deleted']]),
            new Odd(),
          ],
          ...[new Error('x'), new Blob(['x']), circular, new Uint8Array(30_000_000), { id }],
          ...[{ type: 'deleted' }, { type: 'constructor', id }, { type: ['locked'], id }],
          { type: 'deleted', id: 'x'.repeat(30_000_000) },
          ...['added', 'updated', 'deleted', 'locked', 'unlocked'].map(type => ({ type, id: 'nobody' })),
          ...Array.from({ length: 5_000 }, (_, i) => ({ type: i % 2 ? 'added' : 'deleted', id: `x${i}` })),
          { type: 'deleted', id },
          { type: 'unlocked', id: `${id} ` },
        ];
        const behind = async () => {
          // A change of another tab comes behind all that was said.
          const other = await open('messages');
          const told = new Promise<void>(resolve => {
            const stop = store.observe(change => {
              if (change.type !== 'updated') return;
              stop();
              resolve();
            });
          });
          await other.update(id, { label: 'told' });
          await told;
          other.close();
        };
        for (const message of forged) channel.postMessage(message);
        await behind();
        const outcome: unknown[] = [seen.filter(it => it.type !== 'updated')];
        outcome.push((await store.find()).map(it => it.locked));
        channel.postMessage({ type: 'unlocked', id });
        await behind();
        outcome.push((await store.find()).map(it => it.locked));
        await store.unlock(id);
        channel.postMessage({ type: 'deleted', id });
        const waited = Date.now() + 10_000;
        while ((await store.find())[0]?.locked === false && Date.now() < waited)
          await new Promise(resolve => setTimeout(resolve, 10));
        outcome.push(
          (await store.find()).map(it => it.locked),
          complaints,
        );
        channel.close();
        store.close();
        return outcome;
      }, file);
      expect(found).toEqual([[], [true], [true], [true], []]);
    }, 60_000);

    it('locks that another script keeps are told after a while, and the store opens when they are free', async () => {
      const found = await browser.run(async () => {
        const { open, complaints } = globalThis as unknown as Page;
        // Both at once: each takes as long as a store waits for a lock.
        const opened = ['joining', 'tabs'].map(async kind => {
          const name = `kept-${kind}`;
          let release = () => {};
          const held = new Promise<void>(granted => {
            void navigator.locks.request(`browser-mtls:${name}:${kind}`, () => {
              granted();
              return new Promise<void>(resolve => {
                release = resolve;
              });
            });
          });
          await held;
          const refusal = await open(name).then(
            () => 'open',
            error => error.code,
          );
          release();
          const store = await open(name);
          const found = (await store.find()).length;
          store.close();
          return [refusal, found];
        });
        const outcome: unknown[] = (await Promise.all(opened)).flat();
        // Whoever steals a lock ends a session early, which is the safe side.
        const store = await open('locks');
        await navigator.locks.request('browser-mtls:locks:tabs', { steal: true }, async () => {});
        outcome.push((await store.find()).length);
        store.close();
        await new Promise(resolve => setTimeout(resolve, 50));
        return [...outcome, complaints];
      });
      const one = ['ERR_STORE_UNAVAILABLE', 0];
      expect(found).toEqual([...one, ...one, 0, []]);
    }, 60_000);

    it('a session that somebody has overwritten ends all the same', async () => {
      const overwrite = (value: unknown) =>
        browser.run(async (session: unknown) => {
          const asked = indexedDB.open('session');
          const database = await new Promise<IDBDatabase>(resolve => {
            asked.onsuccess = () => resolve(asked.result);
          });
          const transaction = database.transaction('state', 'readwrite');
          transaction.objectStore('state').put(session, 'session');
          await new Promise(resolve => {
            transaction.oncomplete = resolve;
          });
          database.close();
        }, value);
      for (const odd of [{ odd: true }, 5, '', 'x'.repeat(1_000)]) {
        await browser.run(async () => {
          const { open } = globalThis as unknown as Page;
          Object.assign(globalThis, { first: await open('session') });
        });
        await overwrite(odd);
        const added = await browser.run(async (content: string) => {
          const { open, identityOf } = globalThis as unknown as Page;
          const store = await open('session');
          await store.add(await identityOf(content), { persistence: 'session' });
          return (await store.find()).length;
        }, file);
        await browser.run(() => sessionStorage.clear());
        await browser.reload();
        await browser.run(() => sessionStorage.clear());
        await pageReady(browser);
        const left = await browser.run(async () => {
          const { open } = globalThis as unknown as Page;
          const store = await open('session');
          const found = (await store.find()).length;
          store.close();
          return found;
        });
        expect([odd, added, left]).toEqual([odd, 1, 0]);
      }
    }, 60_000);
  },
);
