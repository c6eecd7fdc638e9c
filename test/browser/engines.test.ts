import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { inEachEngine, pageReady } from '../support/engines/each.js';
import type { BrowserEngine } from '../support/engines/engine.js';
import { type Nginx, type NginxServer, startNginx } from '../support/nginx.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslFiles } from '../support/openssl-files.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { problemOf } from '../support/producers/check.js';
import { producers } from '../support/producers/matrix.js';
import { type Outcome, outcomeOf } from '../support/producers/outcome.js';
import type { ProducedFile } from '../support/producers/types.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const SERVERS = [
  { tls: 'TLSv1.3', http2: true },
  { tls: 'TLSv1.3', http2: false },
  { tls: 'TLSv1.2', http2: true },
  { tls: 'TLSv1.2', http2: false },
] as const satisfies Partial<NginxServer>[];
const FILES_AT_ONCE = 20;
/** What passes between the page and this test, as text. */
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

const files = new OpensslFiles();
const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const clients = (['rsa', 'p256'] as const).map(kind => {
  const pair = pki.issue({ subject: `/CN=Client ${kind}`, kind, usage: 'clientAuth' });
  return { name: `Client ${kind}`, file: base64(writePkcs12(pair, { password: 'secret' })) };
});
let produced: ProducedFile[];
let pages: UserPages;
let nginx: Nginx;
let node: NodeServer;
let relay: Relay;

beforeAll(async () => {
  files.issue('other', { key: 'p256', subject: '/CN=Other' });
  produced = Object.values(producers)
    .flatMap(produce => produce(files))
    .filter(it => it.core);
  pages = await startUserPages();
  nginx = await startNginx(SERVERS.map(it => ({ ...it, server, clientCa: pki.ca.cert })));
  node = await startNodeServer({ server, clientCa: pki.ca.cert, http2: true });
  const { createRelay } = await builtRelay();
  relay = await createRelay({
    allow: [...nginx.ports, node.port].map(port => `localhost:${port}`),
    origins: [pages.origin],
  });
}, 300_000);

afterAll(async () => {
  await relay?.close();
  await nginx?.stop();
  await node?.stop();
  await pages?.stop();
  files.close();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  (browser, name) => {
    it('opens the files of every producer', async () => {
      const problems: string[] = [];
      for (let first = 0; first < produced.length; first += FILES_AT_ONCE) {
        const some = produced.slice(first, first + FILES_AT_ONCE);
        const outcomes = await openInPage(browser, some);
        for (const [i, file] of some.entries()) {
          const outcome = outcomes[i];
          const problem = outcome ? problemOf(outcome, file.expected) : 'no outcome';
          if (problem) problems.push(`${file.producer}, ${file.name}: ${problem}`);
        }
      }
      const right = produced.length - problems.length;
      console.log(`${browser.name}: ${right} of ${produced.length} files came out right.`);
      expect(problems).toEqual([]);
    }, 300_000);

    it('keeps an identity over a reload, and uses it for fetch over mutual TLS', async () => {
      for (const { name: client, file } of clients) await importInPage(browser, client, file);
      await browser.reload();
      await pageReady(browser);
      const targets = [...nginx.ports, node.port].map(port => `https://localhost:${port}/`);
      const answers = await browser.run(
        async ({ relayUrl, anchor, targets: addresses }) => {
          const { createClient, IdentityStore } = globalThis.library;
          const store = await IdentityStore.open();
          const found: string[] = [];
          for (const { label = '', id } of await store.find()) {
            const client = await createClient({
              tunnel: relayUrl,
              identities: store,
              trust: { anchors: [anchor] },
              onChallenge: challenge => {
                if (challenge.method === 'server-trust') return { disposition: 'default' };
                const identity = challenge.candidates.find(it => it.id === id);
                if (!identity) return { disposition: 'reject' };
                return { disposition: 'use-credential', credential: { identity } };
              },
            });
            for (const address of addresses) {
              const response = await client.fetch(address);
              const text = await response.text();
              const info = client.connectionInfo(response);
              found.push(
                `${label} ${response.status} ${info?.clientCertificateSent} ${text.includes(label)}`,
              );
            }
            await client.close();
          }
          store.close();
          return found;
        },
        { relayUrl: relay.url, anchor: pki.ca.cert, targets },
      );
      expect(answers).toEqual(
        clients.flatMap(({ name: client }) => targets.map(() => `${client} 200 true true`)),
      );
    }, 120_000);

    it('enforces the controls', async () => {
      const { file } = clients[1] as (typeof clients)[number];
      const codes = await browser.run(async content => {
        const { IdentityStore, openPkcs12, passphraseVerification } = globalThis.library;
        const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
        const { identities } = await openPkcs12(bytes, { password: 'secret', sealedCopy: true });
        const [identity] = identities;
        if (!identity) return ['no identity'];
        const asked: string[] = [];
        const answers = ['sesame', 'wrong', 'sesame'];
        const store = await IdentityStore.open({
          name: 'controls',
          verification: passphraseVerification({
            ask: ({ purpose, attempt }) => {
              asked.push(`${purpose} ${attempt}`);
              return answers.shift();
            },
          }),
        });
        const target = { hostname: 'localhost', port: 443 };
        const outcome = async (act: () => Promise<unknown>) => {
          try {
            await act();
            return 'done';
          } catch (error) {
            return (error as { code?: string }).code ?? String(error);
          }
        };
        const found: unknown[] = [];
        const wrapped = await store.add(identity, { userVerification: 'required' });
        found.push(wrapped.locked, wrapped.keys.length);
        const keys = await Promise.all([store.use(wrapped.id, target), store.use(wrapped.id, target)]);
        found.push(keys[0].length, keys[0][0]?.extractable);
        await crypto.subtle.sign(
          { name: 'ECDSA', hash: 'SHA-256' },
          keys[0][0] as CryptoKey,
          new Uint8Array(1),
        );
        found.push(asked.join(', '));
        await store.delete({ id: wrapped.id });
        const controlled = async (controls: object) => {
          const { id } = await store.add(identity, controls);
          const code = await outcome(() => store.use(id, target));
          await store.delete({ id });
          return code;
        };
        found.push(await controlled({ hosts: ['localhost'] }));
        found.push(await controlled({ hosts: ['elsewhere.example'] }));
        found.push(await controlled({ expiresAt: new Date(0) }));
        found.push(await controlled({ persistence: 'session' }));
        found.push(await outcome(() => store.add({ ...identity, keys: [] })));
        store.close();
        return found;
      }, file);
      expect(codes.slice(0, -1)).toEqual([
        true,
        0,
        1,
        false,
        'set 1, unlock 1, unlock 2',
        'done',
        'ERR_IDENTITY_NOT_ALLOWED',
        'ERR_IDENTITY_EXPIRED',
        'done',
      ]);
      expect(codes.at(-1)).toMatch(/TypeError/);
    }, 60_000);

    it('keeps what belongs to the session over a reload', async () => {
      const { file } = clients[1] as (typeof clients)[number];
      await browser.run(async content => {
        const { IdentityStore, openPkcs12 } = globalThis.library;
        const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
        const { identities } = await openPkcs12(bytes, { password: 'secret' });
        const store = await IdentityStore.open({ name: 'session' });
        for (const identity of identities) await store.add(identity, { persistence: 'session' });
      }, file);
      const left = async () =>
        browser.run(async () => {
          const store = await globalThis.library.IdentityStore.open({ name: 'session' });
          const found = await store.find();
          store.close();
          return found.length;
        });
      await browser.reload();
      await pageReady(browser);
      expect(await left()).toBe(1);
      // As in a new tab: nothing is left of the one before but the database.
      await browser.run(() => sessionStorage.clear());
      await browser.reload();
      await browser.run(() => sessionStorage.clear());
      await pageReady(browser);
      expect(await left()).toBe(0);
    }, 30_000);

    it('makes keys and requests that wait for their certificate over a reload', async () => {
      const algorithms = ['ECDSA P-256', 'ECDSA P-384', 'RSA-2048', 'Ed25519'] as const;
      await browser.run(
        async names => {
          const { createIdentity, IdentityStore } = globalThis.library;
          const store = await IdentityStore.open({ name: 'enrolments' });
          for (const algorithm of names)
            await createIdentity({ subject: `CN=${algorithm}`, algorithm, store });
          store.close();
        },
        [...algorithms],
      );
      await browser.reload();
      await pageReady(browser);
      const requests = await browser.run(async () => {
        const { IdentityStore, pendingEnrolments } = globalThis.library;
        const store = await IdentityStore.open({ name: 'enrolments' });
        const pending = await pendingEnrolments(store);
        store.close();
        return pending.map(it => it.requestPem);
      });
      expect(requests).toHaveLength(algorithms.length);
      for (const request of requests) files.run(['req', '-verify', '-noout'], request);
    }, 60_000);

    it('says so where there is no WebAuthn with PRF, and stores nothing', async () => {
      // Of an authenticator, test/browser/keychain tells.
      if (name !== 'WebKitGTK') return;
      const { file } = clients[1] as (typeof clients)[number];
      const [code, left] = await browser.run(async content => {
        const { IdentityStore, openPkcs12 } = globalThis.library;
        const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
        const { identities } = await openPkcs12(bytes, { password: 'secret', sealedCopy: true });
        const store = await IdentityStore.open({ name: 'no-webauthn' });
        const identity = identities[0] as (typeof identities)[number];
        const adding = store.add(identity, { userVerification: 'required' });
        const code = await adding.then(
          () => 'added',
          error => error.code,
        );
        return [code, (await store.find()).length];
      }, file);
      expect([code, left]).toEqual(['ERR_VERIFICATION_UNAVAILABLE', 0]);
    });

    it('lets the page go on while 600,000 iterations are done', async () => {
      const file = files.export(files.client('rsa2048'), { args: ['-iter', '600000', '-maciter'] });
      const { longestMs, tookMs } = await browser.run(async content => {
        const { openPkcs12 } = globalThis.library;
        const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
        let longest = 0;
        let last = performance.now();
        const timer = setInterval(() => {
          longest = Math.max(longest, performance.now() - last);
          last = performance.now();
        }, 4);
        const started = performance.now();
        await openPkcs12(bytes, { password: 'secret' });
        clearInterval(timer);
        return {
          longestMs: Math.max(longest, performance.now() - last),
          tookMs: performance.now() - started,
        };
      }, base64(file));
      console.log(`${browser.name}: ${tookMs.toFixed(0)} ms, the longest block ${longestMs.toFixed(0)} ms.`);
      expect(longestMs).toBeLessThan(tookMs / 2);
    }, 60_000);
  },
);

function openInPage(browser: BrowserEngine, some: ProducedFile[]) {
  const given = some.map(({ bytes, password, keyPassword }) => ({
    content: base64(bytes),
    password,
    keyPassword,
  }));
  // The function is part of the text that goes into the page.
  const act = `async given => {
    const outcomeOf = ${outcomeOf};
    const outcomes = [];
    for (const { content, password, keyPassword } of given) {
      const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
      outcomes.push(await outcomeOf(globalThis.library.openPkcs12, bytes, { password, keyPassword }));
    }
    return outcomes;
  }`;
  return browser.run<[typeof given], Outcome[]>(act, given);
}

function importInPage(browser: BrowserEngine, label: string, file: string): Promise<void> {
  return browser.run(
    async (name, content) => {
      const { IdentityStore, openPkcs12 } = globalThis.library;
      const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
      const { identities } = await openPkcs12(bytes, { password: 'secret' });
      const store = await IdentityStore.open();
      for (const identity of identities) await store.add(identity, { label: name, hosts: ['localhost'] });
      store.close();
    },
    label,
    file,
  );
}
