import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { inEachEngine } from '../support/engines/each.js';
import type { BrowserEngine } from '../support/engines/engine.js';
import { type NodeServer, startPlainServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { serverKinds } from '../support/servers/index.js';
import { KEYS, nameOf, serverPairsOf, settingsOf } from '../support/servers/settings.js';
import type { RunningServers } from '../support/servers/types.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

interface Target {
  name: string;
  url: string;
  /** `h2 TLSv1.3`. */
  expected: string;
}

const pki = new OpensslPki('Test CA');
const clients = KEYS.map(kind => {
  const pair = pki.issue({ subject: `/CN=Client ${kind}`, kind, usage: 'clientAuth' });
  const file = Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64');
  return { name: `Client ${kind}`, file };
});
const running: RunningServers[] = [];
const targets: Target[] = [];
let pages: UserPages;
let backend: NodeServer;
let relay: Relay;

beforeAll(async () => {
  pages = await startUserPages();
  backend = await startPlainServer();
  const pairs = serverPairsOf(pki);
  for (const kind of serverKinds) {
    const all = settingsOf(kind, { pairs, clientCa: pki.ca.cert });
    const settings = all.filter(({ clientAuth }) => clientAuth === 'required');
    const servers = await kind.start(settings, backend.port);
    running.push(servers);
    for (const [index, setting] of settings.entries()) {
      targets.push({
        name: `${kind.name}, ${nameOf(setting)}`,
        url: `https://localhost:${servers.ports[index]}/`,
        expected: `${setting.http} ${setting.tls}`,
      });
    }
  }
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: ['localhost:*'], origins: [pages.origin] });
}, 300_000);

afterAll(async () => {
  await relay?.close();
  await Promise.all(running.map(servers => servers.stop()));
  await backend?.stop();
  await pages?.stop();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    it('shows a certificate to every server that demands one', async () => {
      const problems: string[] = [];
      for (const client of clients) {
        const answers = await answersOf(browser, client.file);
        for (const [i, { name, expected }] of targets.entries()) {
          const answer = answers[i] ?? 'no answer';
          if (!answer.startsWith(`200 ${expected} `) || !answer.includes(client.name))
            problems.push(`${client.name} at ${name}: ${answer}`);
        }
      }
      const all = targets.length * clients.length;
      console.log(`${browser.name}, servers x settings: ${all - problems.length} of ${all} pass`);
      expect(problems).toEqual([]);
    }, 180_000);
  },
);

function answersOf(browser: BrowserEngine, file: string): Promise<string[]> {
  return browser.run(
    async ({ content, relayUrl, anchor, urls }) => {
      const { createClient, openPkcs12 } = globalThis.library;
      const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
      const { identities } = await openPkcs12(bytes, { password: 'secret' });
      const client = await createClient({ tunnel: relayUrl, identities, trust: { anchors: [anchor] } });
      const ask = async (url: string) => {
        try {
          const response = await client.fetch(url);
          const info = client.connectionInfo(response);
          return `${response.status} ${info?.protocol} ${info?.tlsVersion} ${await response.text()}`;
        } catch (error) {
          return (error as { code?: string }).code ?? String(error);
        }
      };
      const found: string[] = [];
      for (const url of urls) found.push(await ask(url));
      await client.close();
      return found;
    },
    { content: file, relayUrl: relay.url, anchor: pki.ca.cert, urls: targets.map(({ url }) => url) },
  );
}
