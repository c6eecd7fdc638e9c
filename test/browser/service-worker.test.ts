import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { BrowserEngine } from '../support/engines/engine.js';
import { openChromium, openFirefox } from '../support/engines/playwright.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { type PageServer, startPages } from '../support/pages.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtFolder, builtRelay } from '../support/user-page.js';

/** Opens the file, and fetches each address with it. */
const workerOf = (entry: string) => `import { createClient, openPkcs12 } from '/lib/${entry}';
const outcome = async promise => {
  try {
    return await promise;
  } catch (error) {
    return \`\${error.code}: \${error.message}\`;
  }
};
async function fetched(client, address) {
  const response = await client.fetch(address);
  const text = await response.text();
  return \`\${response.headers.get('content-encoding')} \${text.length} \${text.slice(0, 20)}\`;
}
async function use({ file, anchor, tunnel, addresses }) {
  const opened = await outcome(openPkcs12(Uint8Array.from(atob(file), it => it.charCodeAt(0)), { password: 'secret' }));
  const client = await outcome(createClient({ tunnel, identities: opened.identities ?? [], trust: { anchors: [anchor] } }));
  if (!client.fetch) return [opened, client];
  const texts = [];
  for (const address of addresses) texts.push(await outcome(fetched(client, address)));
  await client.close();
  return texts;
}
self.addEventListener('message', event =>
  event.waitUntil(use(event.data).then(it => event.ports[0].postMessage(it))));
`;

let pages: PageServer;
let node: NodeServer;
let relay: Relay;
let task: { file: string; anchor: string; tunnel: string; addresses: string[] };

beforeAll(async () => {
  const pki = new OpensslPki('Test CA');
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  const client = pki.issue({ subject: '/CN=Ada', kind: 'p256', usage: 'clientAuth' });
  pages = await startPages({
    pages: {
      '/': '<!doctype html><title>ready</title>',
      '/static-worker.js': workerOf('static.js'),
      '/worker.js': workerOf('index.js'),
    },
    folders: { '/lib/': builtFolder() },
  });
  node = await startNodeServer({ server, clientCa: pki.ca.cert, http2: true });
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: [`localhost:${node.port}`], origins: [pages.origin] });
  const origin = `https://localhost:${node.port}`;
  task = {
    file: Buffer.from(writePkcs12(client, { password: 'secret', legacy: false })).toString('base64'),
    anchor: pki.ca.cert,
    tunnel: relay.url,
    addresses: [`${origin}/`, `${origin}/zeros?size=100000&coding=br`],
  };
  pki.close();
});

afterAll(async () => {
  await relay?.close();
  await node?.stop();
  await pages?.stop();
});

/** What the service worker of an address answers. */
function answerOf(browser: BrowserEngine, script: string): Promise<string[]> {
  return browser.run(
    async (address, given) => {
      const scope = `/${address.length}/`;
      const { installing, waiting, active } = await navigator.serviceWorker.register(address, {
        type: 'module',
        scope,
      });
      const worker = installing ?? waiting ?? active;
      const { port1, port2 } = new MessageChannel();
      const answer = new Promise<string[]>(resolve => {
        port1.onmessage = ({ data }) => resolve(data);
      });
      worker?.postMessage(given, [port2]);
      return answer;
    },
    script,
    task,
  );
}

describe.each([
  ['Chromium', openChromium],
  ['Firefox', openFirefox],
])('a service worker in %s', (_, launch) => {
  let browser: BrowserEngine;
  beforeAll(async () => {
    browser = await launch();
    await browser.open(`${pages.origin}/`);
  });
  afterAll(() => browser?.close());

  test('opens a .p12 file and decodes a body, by browser-mtls/static', async () => {
    const answer = await answerOf(browser, '/static-worker.js');
    expect(answer[0]).toContain('"subject":"Ada"');
    expect(answer[1]).toBe(`br 100000 ${'\0'.repeat(20)}`);
  });

  test('is told of that entry where it imports the other one', async () => {
    for (const said of await answerOf(browser, '/worker.js'))
      expect(said).toMatch(/^ERR_ENGINE_LOAD: .* in a service worker, import from browser-mtls\/static\.$/);
  });
});
