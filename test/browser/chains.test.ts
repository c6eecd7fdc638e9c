import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { client, crossSigned, root } from '../support/cross-signed.js';
import { inEachEngine, pageReady } from '../support/engines/each.js';
import {
  AUTHORITY,
  commonName,
  dnsNames,
  type Forged,
  forge,
  StringTag,
} from '../support/forged-certificates.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const { printable, teletex, bmp, universal } = StringTag;
const [a, b] = [root('Zürich A'), root('Zürich B')];
const { authorities } = crossSigned([
  { ...a, subject: commonName('ZüRICH a', teletex) },
  { ...b, subject: commonName('zürich  B ', universal) },
]);
const [inter] = authorities as [Forged, Forged];
const own = client({ ...inter, subject: commonName('INTER', printable) });
const chain = authorities.map(it => it.cert).join('');
const file = Buffer.from(writePkcs12(own, { password: 'secret', chain })).toString('base64');

const serverRoot = forge({ subject: commonName('Server root', bmp), extensions: AUTHORITY });
const server = forge({
  subject: commonName('localhost'),
  issuer: commonName('server ROOT'),
  by: serverRoot,
  extensions: [dnsNames(['localhost'])],
});

let pages: UserPages;
let nginx: Nginx;
let relay: Relay;

beforeAll(async () => {
  pages = await startUserPages();
  nginx = await startNginx([a, b].map(({ cert: clientCa }) => ({ server, tls: 'TLSv1.3', clientCa })));
  const { createRelay } = await builtRelay();
  relay = await createRelay({
    allow: nginx.ports.map(port => `localhost:${port}`),
    origins: [pages.origin],
  });
}, 120_000);

afterAll(async () => {
  await relay?.close();
  await nginx?.stop();
  await pages?.stop();
});

inEachEngine(
  () => pages.origin,
  browser => {
    it('an identity below two roots is kept with its chains, and shown each server with the one that fits', async () => {
      const imported = await browser.run(async content => {
        const { IdentityStore, openPkcs12 } = globalThis.library;
        const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
        const { identities } = await openPkcs12(bytes, { password: 'secret' });
        const [identity] = identities;
        if (!identity) return 'no identity';
        const store = await IdentityStore.open({ name: 'chains' });
        for (const { id } of await store.find()) await store.delete({ id });
        await store.add(identity, { hosts: ['localhost'] });
        store.close();
        return [identity.chain.length, identity.otherChains?.map(it => it.length)];
      }, file);
      expect(imported).toEqual([2, [2]]);
      await browser.reload();
      await pageReady(browser);
      const found = await browser.run(
        async ({ relayUrl, anchor, ports, name }) => {
          const { createClient, IdentityStore } = globalThis.library;
          const store = await IdentityStore.open({ name: 'chains' });
          const known = await store.find({ issuer: Uint8Array.from(name) });
          const client = await createClient({
            tunnel: relayUrl,
            identities: store,
            trust: { anchors: [anchor] },
          });
          const verified: unknown[] = [known.length];
          for (const port of ports)
            verified.push((await (await client.fetch(`https://localhost:${port}/`)).json()).verify);
          await client.close();
          store.close();
          return verified;
        },
        {
          relayUrl: relay.url,
          anchor: serverRoot.cert,
          ports: nginx.ports,
          name: [...commonName('ZüRICH b', bmp)],
        },
      );
      expect(found).toEqual([1, 'SUCCESS', 'SUCCESS']);
    }, 120_000);
  },
);
