import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inEachEngine } from '../support/engines/each.js';
import { OpensslFiles } from '../support/openssl-files.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startPages } from '../support/pages.js';
import { builtFolder } from '../support/user-page.js';

// No inline style and no inline script is allowed.
const HTML = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>loading</title><link rel="icon" href="data:,">
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'">
<script type="module" src="/main.js"></script></head>
<body><identity-import hosts="localhost *.example.com" persistence="permanent"></identity-import><identity-picker></identity-picker></body></html>`;
const MAIN = `import * as library from '/lib/index.js';
import { IdentityPicker } from '/lib/elements.js';
globalThis.library = library;
globalThis.violations = [];
document.addEventListener('securitypolicyviolation', event => violations.push(event.violatedDirective));
await import('/lib/elements.js?again').catch(() => {});
document.title = IdentityPicker === customElements.get('identity-picker') ? 'ready' : 'twice';`;

const files = new OpensslFiles();
const pki = new OpensslPki();
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const file = base64(files.export(files.client('p256'), { args: ['-name', 'Ada'] }));
const second = base64(files.export(files.client('rsa2048'), { args: ['-name', 'Bob'] }));
/** A file with this certificate alone, valid between these days from now. */
function fileValid(name: string, days: [first: number, last: number]): string {
  const { cert, key } = pki.issue({ subject: `/CN=${name}`, days });
  files.write(`${name}.pem`, cert);
  files.write(`${name}.key`, key);
  return base64(files.export(name, { chain: [], args: ['-name', name] }));
}
const [expired, future] = [fileValid('Eve', [-9, -2]), fileValid('Fay', [2, 9])];
const javaKey = base64(readFileSync('test/support/producers/found/java-key-password.p12'));
let pages: Awaited<ReturnType<typeof startPages>>;

beforeAll(async () => {
  pages = await startPages({
    pages: { '/': HTML, '/main.js': MAIN },
    folders: { '/lib/': builtFolder() },
  });
});
afterAll(async () => {
  await pages.stop();
  files.close();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    it('imports a file, after telling that the password is wrong', async () => {
      const found = await browser.run(
        async (contents: string[]) => {
          const element = document.querySelector('identity-import');
          const root = element?.shadowRoot;
          const part = <T extends HTMLElement>(name: string) => root?.querySelector(`[part="${name}"]`) as T;
          if (!element || !root) throw new Error('no element');
          element.store = await globalThis.library.IdentityStore.open({ name: 'elements' });
          const next = (name: string) =>
            new Promise<CustomEvent>(resolve =>
              element.addEventListener(name, event => resolve(event as CustomEvent), { once: true }),
            );
          const submit = async (password: string, event: string) => {
            part<HTMLInputElement>('password').value = password;
            const told = next(event);
            part<HTMLButtonElement>('submit').click();
            return (await told).detail;
          };
          const [first = '', other = ''] = contents;
          const take = (content: string, name: string) =>
            element.choose(new Blob([Uint8Array.from(atob(content), it => it.charCodeAt(0))]), name);
          const result: unknown[] = [];
          part<HTMLButtonElement>('submit').click();
          result.push(part('status').textContent);
          take(first, 'ada.p12');
          const { error } = await submit('wrong', 'identity-error');
          const password = part<HTMLInputElement>('password');
          result.push(error.code, part('error').textContent?.length, password.getAttribute('aria-invalid'));
          result.push(root.activeElement === password);
          part<HTMLButtonElement>('reveal').click();
          result.push(password.type);
          const { identities } = await submit('secret', 'identity-import');
          result.push(password.type);
          result.push(identities.length, identities[0].controls.hosts, part('error').hidden);
          result.push(part<HTMLInputElement>('password').value, part('status').textContent);
          take(first, 'ada.p12');
          result.push((await submit('secret', 'identity-error')).error.code);
          take(other, 'bob.p12');
          result.push((await submit('secret', 'identity-import')).identities[0].controls.label);
          return result;
        },
        [file, second],
      );
      expect(found).toEqual([
        'Choose a file first.',
        'ERR_P12_PASSWORD',
        expect.any(Number),
        'true',
        true,
        'text',
        'password',
        1,
        ['localhost', '*.example.com'],
        true,
        '',
        'Imported Ada.',
        'ERR_IDENTITY_DUPLICATE',
        'Bob',
      ]);
    });

    it('says that an imported certificate has expired, or is not valid yet', async () => {
      const said = await browser.run(
        async (contents: string[]) => {
          const element = document.createElement('identity-import');
          document.body.append(element);
          const part = (name: string) => element.shadowRoot?.querySelector(`[part="${name}"]`) as HTMLElement;
          const statuses: unknown[] = [];
          for (const content of contents) {
            element.choose(new Blob([Uint8Array.from(atob(content), it => it.charCodeAt(0))]));
            (part('password') as HTMLInputElement).value = 'secret';
            const told = new Promise(resolve =>
              element.addEventListener('identity-import', resolve, { once: true }),
            );
            part('submit').click();
            await told;
            statuses.push(part('status').textContent);
          }
          element.remove();
          return statuses;
        },
        [expired, future],
      );
      expect(said).toEqual([
        expect.stringMatching(/^Imported Eve\. Eve expired on .*20\d\d.*\.$/),
        expect.stringMatching(/^Imported Fay\. Fay is not valid before .*20\d\d.*\.$/),
      ]);
    });

    it('asks for the password of the key when it has one of its own', async () => {
      const found = await browser.run(async (content: string) => {
        const element = document.createElement('identity-import');
        document.body.append(element);
        const part = <T extends HTMLElement>(name: string) =>
          element.shadowRoot?.querySelector(`[part="${name}"]`) as T;
        const submit = async (event: string) => {
          const told = new Promise<CustomEvent>(resolve =>
            element.addEventListener(event, it => resolve(it as CustomEvent), { once: true }),
          );
          part('submit').click();
          return (await told).detail;
        };
        const [password, key] = [part<HTMLInputElement>('password'), part<HTMLInputElement>('key-password')];
        const state = () => [
          key.checkVisibility(),
          key.getAttribute('aria-invalid'),
          element.shadowRoot?.activeElement === key,
        ];
        const result: unknown[] = [state()];
        element.choose(new Blob([Uint8Array.from(atob(content), it => it.charCodeAt(0))]), 'java.p12');
        password.value = 'geheim';
        result.push((await submit('identity-error')).error.code, part('error').dataset.code, state());
        key.value = 'wrong';
        result.push((await submit('identity-error')).error.code, state());
        part('reveal').click();
        result.push(key.type);
        key.value = 'otherpass';
        result.push((await submit('identity-import')).identities.length, key.value, key.type, state());
        element.remove();
        return result;
      }, javaKey);
      const code = 'ERR_P12_KEY_PASSWORD';
      expect(found).toEqual([
        [false, null, false],
        ...[code, code, [true, null, true]],
        ...[code, [true, 'true', true]],
        'text',
        ...[1, '', 'password', [false, null, false]],
      ]);
    });

    it('asks which identity to show, one question after the other', async () => {
      const found = await browser.run(async () => {
        const picker = document.querySelector('identity-picker');
        const root = picker?.shadowRoot;
        if (!picker || !root) throw new Error('no element');
        const store = await globalThis.library.IdentityStore.open({ name: 'elements' });
        const [ada, bob] = await store.find();
        if (!ada || !bob) throw new Error('the import before has failed');
        const challenge = {
          method: 'client-certificate' as const,
          host: 'api.example.com',
          port: 8443,
          acceptableIssuers: [],
          acceptableIssuersDer: [],
          signatureSchemes: [],
          candidates: [ada],
          others: [
            { identity: bob, code: 'ERR_TLS_CERT_EXPIRED' as const, message: 'expired', selectable: false },
          ],
          signal: new AbortController().signal,
        };
        const button = (name: string) => root.querySelector(`button[part="${name}"]`) as HTMLButtonElement;
        const turn = () => new Promise(resolve => setTimeout(resolve, 50));
        const result: unknown[] = [];
        const first = picker.answer(challenge);
        const second = picker.answer({ ...challenge, host: 'other.example.com', port: 443 });
        await turn();
        const dialog = root.querySelector('dialog');
        result.push(dialog?.open, root.querySelector('[part="question"]')?.textContent);
        const radios = [...root.querySelectorAll<HTMLInputElement>('input[type="radio"]')];
        result.push(radios.map(it => [it.checked, it.disabled]));
        result.push(root.querySelector('[part="reason"]')?.textContent, root.activeElement === radios[0]);
        // What Enter presses is the first one that submits.
        const submits = [...root.querySelectorAll('button')].filter(it => it.type === 'submit');
        result.push(submits[0]?.getAttribute('part'));
        button('use').click();
        const answer = await first;
        if (answer.disposition === 'use-credential' && 'identity' in answer.credential)
          result.push(answer.credential.identity.label, answer.credential.persistence);
        await turn();
        result.push(root.querySelector('[part="question"]')?.textContent);
        root.querySelector('dialog')?.dispatchEvent(new Event('cancel', { cancelable: true }));
        result.push((await second).disposition, root.querySelector('dialog'));
        const third = picker.answer(challenge);
        await turn();
        button('without').click();
        result.push((await third).disposition);
        picker.setAttribute('remember', 'permanent');
        const remembered = picker.answer(challenge);
        await turn();
        result.push(root.querySelector('[part="remember"]')?.textContent);
        button('use').click();
        const kept = await remembered;
        if (kept.disposition === 'use-credential') result.push(kept.credential.persistence);
        const { signal } = challenge;
        const trust = { method: 'server-trust' as const, host: 'a', port: 1, chain: [], signal };
        result.push((await picker.answer(trust)).disposition);
        picker.labels = { title: 'Zertifikat wählen' };
        picker.setAttribute('inline', '');
        const fourth = picker.answer(challenge);
        await turn();
        result.push(root.querySelector('[part="title"]')?.textContent, root.querySelector('dialog'));
        picker.remove();
        result.push((await fourth).disposition);
        return result;
      });
      expect(found).toEqual([
        true,
        'api.example.com:8443 asks who you are.',
        [
          [true, false],
          [false, true],
        ],
        'It has expired.',
        true,
        'use',
        'Ada',
        'session',
        'other.example.com asks who you are.',
        'cancel',
        null,
        'reject',
        'Remember on this device',
        'permanent',
        'default',
        'Zertifikat wählen',
        null,
        'cancel',
      ]);
    });

    it('takes a question back that nobody waits for any more, shown or not yet', async () => {
      const found = await browser.run(async () => {
        const picker = document.createElement('identity-picker');
        document.body.append(picker);
        const root = picker.shadowRoot;
        if (!root) throw new Error('no element');
        const challenge = (host: string, { signal }: AbortController) => ({
          method: 'client-certificate' as const,
          host,
          port: 443,
          acceptableIssuers: [],
          acceptableIssuersDer: [],
          signatureSchemes: [],
          candidates: [],
          others: [],
          signal,
        });
        const turn = () => new Promise(resolve => setTimeout(resolve, 50));
        const asking = () => root.querySelector('[part="question"]')?.textContent ?? 'nothing';
        const controllers = [1, 2, 3].map(() => new AbortController());
        const [first, second, third] = controllers as [AbortController, AbortController, AbortController];
        const answers = controllers.map((it, i) => picker.answer(challenge(`host${i + 1}`, it)));
        await turn();
        const result = [asking()];
        second.abort();
        await turn();
        result.push(asking());
        first.abort();
        await turn();
        result.push(asking());
        third.abort();
        for (const answer of answers) result.push((await answer).disposition);
        result.push(asking(), String(root.querySelector('dialog')));
        picker.remove();
        return result;
      });
      expect(found).toEqual([
        'host1 asks who you are.',
        'host1 asks who you are.',
        'host3 asks who you are.',
        'cancel',
        'cancel',
        'cancel',
        'nothing',
        'null',
      ]);
    });

    it('needs no style and no script that a strict policy forbids', async () => {
      const violations = await browser.run(
        () => (globalThis as unknown as { violations: string[] }).violations,
      );
      expect(violations).toEqual([]);
    });
  },
);
