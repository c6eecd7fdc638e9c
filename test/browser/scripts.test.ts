import { createPrivateKey } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inEachEngine } from '../support/engines/each.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startPages } from '../support/pages.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtFolder } from '../support/user-page.js';

// What a script of the page's own origin can do with keys, as docs/security.md tells it. Nothing here is an error of the library;
// when one of these fails, the documentation promises too little.

const MAIN = `import * as library from '/lib/index.js';
globalThis.library = library;
document.title = 'ready';`;
/** A page of another origin, which signs with the key that it is sent. */
const OTHER = `<!doctype html><meta charset="utf-8"><script>
addEventListener('message', async ({ data: key, source, origin }) => {
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, new Uint8Array(3));
  const exported = await crypto.subtle.exportKey('pkcs8', key).then(() => 'exported', () => 'refused');
  source.postMessage(signature.byteLength + ' ' + exported, origin);
});
</script>`;

const pki = new OpensslPki('Test CA');
const ada = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });
const file = Buffer.from(writePkcs12(ada, { password: 'secret' })).toString('base64');
const secret = Buffer.from(createPrivateKey(ada.key).export({ format: 'jwk' }).d ?? '', 'base64url');
let pages: Awaited<ReturnType<typeof startPages>>;
let origin: string;

beforeAll(async () => {
  const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="/main.js"></script>`;
  pages = await startPages({
    pages: { '/': html, '/main.js': MAIN, '/other.html': OTHER },
    folders: { '/lib/': builtFolder() },
  });
  origin = pages.origin.replace('127.0.0.1', 'localhost');
});
afterAll(async () => {
  await pages?.stop();
  pki.close();
});

inEachEngine(
  () => origin,
  browser => {
    it('hands a key that cannot be exported to a page of another origin, which uses it', async () => {
      const answer = await browser.run(
        async (content: string, other: string) => {
          const { openPkcs12 } = globalThis.library;
          const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
          const { identities } = await openPkcs12(bytes, { password: 'secret' });
          const frame = document.createElement('iframe');
          frame.src = `${other}/other.html`;
          const loaded = new Promise(resolve => frame.addEventListener('load', resolve));
          document.body.append(frame);
          await loaded;
          const told = new Promise(resolve =>
            addEventListener('message', it => resolve(it.data), { once: true }),
          );
          frame.contentWindow?.postMessage(identities[0]?.keys[0], other);
          return told;
        },
        file,
        pages.origin,
      );
      expect(answer).toBe('64 refused');
    }, 30_000);

    it('has the key in clear when it is there as the person gives the passphrase, and uses an unlocked one after the lock', async () => {
      const found = await browser.run(async (content: string) => {
        const { IdentityStore, openPkcs12, passphraseVerification } = globalThis.library;
        // Of the page: a script that watches learns what is given.
        let overheard = '';
        const verification = passphraseVerification({
          ask: () => {
            overheard = 'correct horse';
            return overheard;
          },
        });
        const store = await IdentityStore.open({ name: 'taken', verification });
        const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
        const { identities } = await openPkcs12(bytes, { password: 'secret', sealedCopy: true });
        const [identity] = identities;
        if (!identity) throw new Error('no identity');
        const { id } = await store.add(identity, { userVerification: 'required' });
        const [unlocked] = await store.use(id, { hostname: 'localhost', port: 443 });
        await store.lock(id);
        const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
        const { byteLength } = await crypto.subtle.sign(algorithm, unlocked as CryptoKey, new Uint8Array(1));
        store.close();

        const asked = indexedDB.open('taken');
        const database = await new Promise<IDBDatabase>(resolve => {
          asked.onsuccess = () => resolve(asked.result);
        });
        const reading = database.transaction('identities').objectStore('identities').get(id);
        const { wrapped } = await new Promise<{
          wrapped: { pkcs8: ArrayBuffer; iv: Uint8Array<ArrayBuffer>; parameters: object };
        }>(resolve => {
          reading.onsuccess = () => resolve(reading.result);
        });
        database.close();
        const raw = new TextEncoder().encode(overheard);
        const base = await crypto.subtle.importKey('raw', raw, 'PBKDF2', false, ['deriveKey']);
        const key = await crypto.subtle.deriveKey(
          { name: 'PBKDF2', ...wrapped.parameters } as Pbkdf2Params,
          base,
          { name: 'AES-GCM', length: 256 },
          false,
          ['decrypt'],
        );
        const clear = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: wrapped.iv }, key, wrapped.pkcs8);
        return { byteLength, clear: Array.from(new Uint8Array(clear)) };
      }, file);
      expect(found.byteLength).toBe(64);
      expect(Buffer.from(found.clear).includes(secret)).toBe(true);
    }, 30_000);
  },
);
