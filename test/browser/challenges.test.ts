import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { inEachEngine, pageReady } from '../support/engines/each.js';
import type { BrowserEngine } from '../support/engines/engine.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const CLIENT = 'Client';
const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const file = Buffer.from(
  writePkcs12(pki.issue({ subject: `/CN=${CLIENT}`, usage: 'clientAuth' }), { password: 'secret' }),
).toString('base64');
let pages: UserPages;
/** Waits a second for a handshake. */
let nginx: Nginx;
let relay: Relay;

beforeAll(async () => {
  pages = await startUserPages();
  nginx = await startNginx([{ tls: 'TLSv1.3', server, clientCa: pki.ca.cert, handshakeTimeoutSeconds: 1 }]);
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: [`localhost:${nginx.ports[0]}`], origins: [pages.origin] });
}, 60_000);
afterAll(async () => {
  await relay?.close();
  await nginx?.stop();
  await pages?.stop();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    it('asks once, also where the server hangs up meanwhile, and keeps answers over a reload until they are forgotten', async () => {
      await importInPage(browser);
      const visit = async (answers: boolean) =>
        browser.run(
          async ({ relayUrl, address, label, answers: mayAnswer, waitMs }) => {
            const { createClient, IdentityStore } = globalThis.library;
            const store = await IdentityStore.open();
            const asked: string[] = [];
            const client = await createClient({
              tunnel: relayUrl,
              identities: store,
              onChallenge: async challenge => {
                asked.push(challenge.method);
                if (!mayAnswer) return { disposition: 'cancel' };
                if (challenge.method === 'server-trust')
                  return {
                    disposition: 'use-credential',
                    credential: { trust: true, persistence: 'permanent' },
                  };
                await new Promise(resolve => setTimeout(resolve, waitMs));
                const identity = challenge.candidates.find(it => it.label === label);
                if (!identity) return { disposition: 'reject' };
                return { disposition: 'use-credential', credential: { identity, persistence: 'permanent' } };
              },
            });
            const ask = async () => (await (await client.fetch(address)).json()).subject as string;
            const subjects = await Promise.all([ask(), ask(), ask()]);
            const kept = (await client.answers()).map(it => `${it.method} ${it.persistence}`).sort();
            let afterwards = '';
            if (!mayAnswer) {
              await client.forget('localhost');
              afterwards = await ask().catch(error => error.code);
            }
            await client.close();
            store.close();
            return { asked, subjects, kept, afterwards };
          },
          {
            relayUrl: relay.url,
            address: `https://localhost:${nginx.ports[0]}/`,
            label: CLIENT,
            answers,
            waitMs: 2_500,
          },
        );
      const kept = ['client-certificate permanent', 'server-trust permanent'];
      const subjects = Array(3).fill(`CN=${CLIENT}`);
      expect(await visit(true)).toEqual({
        asked: ['server-trust', 'client-certificate'],
        subjects,
        kept,
        afterwards: '',
      });
      await browser.reload();
      await pageReady(browser);
      expect(await visit(false)).toEqual({
        asked: ['server-trust'],
        subjects,
        kept,
        afterwards: 'ERR_TLS_CHALLENGE_CANCELLED',
      });
    }, 60_000);
  },
);

function importInPage(browser: BrowserEngine): Promise<void> {
  return browser.run(
    async ({ content, label }) => {
      const { IdentityStore, openPkcs12 } = globalThis.library;
      const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
      const { identities } = await openPkcs12(bytes, { password: 'secret' });
      const store = await IdentityStore.open();
      for (const identity of identities) await store.add(identity, { label, hosts: ['localhost'] });
      store.close();
    },
    { content: file, label: CLIENT },
  );
}
