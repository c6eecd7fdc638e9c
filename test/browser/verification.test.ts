import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Enrolment, KeyAlgorithmName } from '../../src/index.js';
import { inEachEngine } from '../support/engines/each.js';
import { OpensslFiles } from '../support/openssl-files.js';
import { startUserPages, type UserPages } from '../support/user-page.js';
import { RequestSigner } from '../unit/enroll/support/openssl.js';

// Notes each private key that WebCrypto gives and that can be exported, as any script of the page could.
const BEFORE = `import '/lib/elements.js';
globalThis.exportable = [];
for (const name of ['generateKey', 'importKey', 'unwrapKey']) {
  const original = SubtleCrypto.prototype[name];
  SubtleCrypto.prototype[name] = async function (...args) {
    const made = await original.apply(this, args);
    const key = made.privateKey ?? made;
    if (key.type === 'private' && key.extractable) exportable.push(name);
    return made;
  };
}`;

declare global {
  var exportable: string[];
  var enrolments: Enrolment[];
}

const algorithms: KeyAlgorithmName[] = [
  'ECDSA P-256',
  'ECDSA P-384',
  'ECDSA P-521',
  'RSA-2048',
  'RSA-3072',
  'RSA-4096',
  'Ed25519',
];
/** How many extractable private keys there are on the way. */
const onTheWay = (algorithm: string) => (algorithm.startsWith('RSA') ? 1 : 0);

const files = new OpensslFiles();
const signer = new RequestSigner();
const contents = ['p256', 'rsa2048', 'ed25519'].map(kind => {
  const file = files.export(files.client(kind as 'p256'), { args: ['-name', kind] });
  return Buffer.from(file).toString('base64');
});
let pages: UserPages;

beforeAll(async () => {
  pages = await startUserPages({ before: BEFORE });
});
afterAll(async () => {
  await pages?.stop();
  files.close();
  signer.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    it('exports no key of a created identity, and only RSA keys could be exported on their way', async () => {
      const made = await browser.run(async (names: KeyAlgorithmName[]) => {
        const { createIdentity, IdentityStore } = globalThis.library;
        const store = await IdentityStore.open({ name: 'created' });
        globalThis.enrolments = [];
        const found = [];
        for (const algorithm of names) {
          exportable.length = 0;
          const options = { subject: `CN=${algorithm}`, algorithm };
          const enrolment = await createIdentity(options);
          found.push({ request: enrolment.requestPem, onTheWay: exportable.length });
          globalThis.enrolments.push(enrolment);
          exportable.length = 0;
          await createIdentity({ ...options, store }).then(it => it.cancel());
          found.push({ request: enrolment.requestPem, onTheWay: exportable.length });
        }
        store.close();
        return found;
      }, algorithms);
      expect(made.map(it => it.onTheWay)).toEqual(algorithms.flatMap(it => [onTheWay(it), onTheWay(it)]));
      const certificates = made.filter((_, i) => i % 2 === 0).map(it => signer.issue(pemToDer(it.request)));
      const outcomes = await browser.run(async (chains: string[]) => {
        const found: string[] = [];
        for (const [i, chain] of chains.entries()) {
          const identity = await globalThis.enrolments[i]?.complete(chain);
          for (const key of identity?.keys ?? []) {
            for (const form of ['pkcs8', 'jwk', 'raw'] as const) {
              const exporting = crypto.subtle.exportKey(form as 'pkcs8', key);
              found.push(
                await exporting.then(
                  () => `${form} exported`,
                  () => 'refused',
                ),
              );
            }
          }
        }
        return found;
      }, certificates);
      expect(new Set(outcomes)).toEqual(new Set(['refused']));
      expect(outcomes).toHaveLength(3 * (4 + 3 * 6));
    }, 180_000);

    it('keeps nothing of a file that could be exported or wrapped, unless it is asked to', async () => {
      const found = await browser.run(async (given: string[]) => {
        const { IdentityStore, openPkcs12, passphraseVerification } = globalThis.library;
        const verification = passphraseVerification({ ask: () => 'sesame' });
        const store = await IdentityStore.open({ name: 'files', verification });
        const result: unknown[] = [];
        for (const content of given) {
          const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
          const open = async (options: object) => {
            exportable.length = 0;
            const { identities } = await openPkcs12(bytes, { password: 'secret', ...options });
            const [identity] = identities;
            if (!identity) throw new Error('no identity');
            return { identity, onTheWay: exportable.length };
          };
          const add = async (identity: Awaited<ReturnType<typeof open>>['identity']) => {
            try {
              const { id, locked } = await store.add(identity, { userVerification: 'required' });
              const keys = await store.use(id, { hostname: 'localhost', port: 443 });
              return [locked, keys.every(key => !key.extractable && key.usages.join() === 'sign')];
            } catch (error) {
              return (error as { code?: string }).code ?? String(error);
            }
          };
          const plain = await open({});
          const sealed = await open({ sealedCopy: true });
          result.push(plain.onTheWay, await add(plain.identity), sealed.onTheWay, await add(sealed.identity));
        }
        store.close();
        return result;
      }, contents);
      const one = [0, 'ERR_IDENTITY_NO_SEALED_COPY', 1, [true, true]];
      expect(found).toEqual(contents.flatMap(() => one));
    }, 60_000);

    it('the element asks for a sealed copy where its controls want verification, and nowhere else', async () => {
      const found = await browser.run(async (content: string) => {
        const { IdentityStore, passphraseVerification } = globalThis.library;
        const verification = passphraseVerification({ ask: () => 'sesame' });
        const store = await IdentityStore.open({ name: 'element', verification });
        const result: unknown[] = [];
        for (const wanted of ['none', 'required']) {
          const element = document.createElement('identity-import');
          element.setAttribute('user-verification', wanted);
          element.store = store;
          document.body.append(element);
          element.choose(new Blob([Uint8Array.from(atob(content), it => it.charCodeAt(0))]));
          const part = <T extends Element>(name: string) =>
            element.shadowRoot?.querySelector(`[part="${name}"]`) as T;
          part<HTMLInputElement>('password').value = 'secret';
          exportable.length = 0;
          const told = new Promise<CustomEvent>((resolve, reject) => {
            element.addEventListener('identity-import', it => resolve(it as CustomEvent));
            element.addEventListener('identity-error', it => reject((it as CustomEvent).detail.error));
          });
          part<HTMLButtonElement>('submit').click();
          const { identities } = (await told).detail;
          result.push(exportable.length > 0, identities[0].locked);
          await store.delete({ id: identities[0].id });
          element.remove();
        }
        store.close();
        return result;
      }, contents[0] as string);
      expect(found).toEqual([false, false, true, true]);
    }, 60_000);
  },
);

function pemToDer(pem: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64'));
}
