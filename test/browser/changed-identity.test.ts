import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { inEachEngine } from '../support/engines/each.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });
const file = Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64');
let pages: UserPages;
let nginx: Nginx;
let relay: Relay;

const settings = [
  { tls: 'TLSv1.3', http2: true, verifyClient: 'on' },
  { tls: 'TLSv1.2', http2: true, verifyClient: 'on' },
  { tls: 'TLSv1.3', http2: false, verifyClient: 'optional' },
  { tls: 'TLSv1.2', http2: false, verifyClient: 'optional' },
] as const;

beforeAll(async () => {
  pages = await startUserPages();
  nginx = await startNginx(settings.map(it => ({ ...it, server, clientCa: pki.ca.cert })));
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: ['localhost:*'], origins: [pages.origin] });
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
    it.each(settings.map((it, index) => ({ ...it, index })))(
      'goes on with the identity that was imported, allowed, or deleted by another tab: $tls, h2 $http2, $verifyClient',
      async ({ index, verifyClient }) => {
        const seen = await browser.run(
          async ({ relayUrl, address, anchor, content }) => {
            const { createClient, IdentityStore, openPkcs12 } = globalThis.library;
            const store = await IdentityStore.open();
            const client = await createClient({
              tunnel: relayUrl,
              identities: store,
              trust: { anchors: [anchor] },
            });
            const ask = async (): Promise<string> => {
              try {
                return (await (await client.fetch(address)).json()).subject;
              } catch (error) {
                return (error as { code?: string }).code ?? String(error);
              }
            };
            const several = async () => [...new Set(await Promise.all([ask(), ask(), ask()]))].join();
            const answers = [await several()];
            const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
            const { identities } = await openPkcs12(bytes, { password: 'secret' });
            let id = '';
            for (const it of identities) id = (await store.add(it, { hosts: ['localhost'] })).id;
            answers.push(await several());
            await store.update(id, { hosts: ['elsewhere.example'] });
            answers.push(await several());
            await store.update(id, { hosts: ['localhost'] });
            answers.push(await several());
            // As another tab has it: it tells this one by a BroadcastChannel.
            const other = await IdentityStore.open();
            const told = new Promise(resolve => store.observe(resolve));
            await other.delete({ id });
            await told;
            answers.push(await several());
            await client.close();
            other.close();
            store.close();
            return answers;
          },
          {
            relayUrl: relay.url,
            address: `https://localhost:${nginx.ports[index]}/`,
            anchor: pki.ca.cert,
            content: file,
          },
        );
        const nobody = verifyClient === 'on' ? 'ERR_TLS_CLIENT_CERT_REQUIRED' : '';
        expect(seen).toEqual([nobody, 'CN=Ada', nobody, 'CN=Ada', nobody]);
      },
      60_000,
    );
  },
);
