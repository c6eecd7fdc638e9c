import { transformWithOxc } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { complaintsOf, launchChromium } from '../support/chromium.js';
import { startRelay } from '../support/client.js';
import { blockOf } from '../support/documented.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startPages } from '../support/pages.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtFolder } from '../support/user-page.js';

const HTML = `<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="importmap">{ "imports": { "browser-mtls": "/lib/index.js" } }</script>
<script type="module" src="/example.js"></script></head></html>`;

declare global {
  // Of the example; set for the test.
  var importIdentity: (file: File, password: string) => Promise<void>;
  var client: MtlsClient;
}

const pki = new OpensslPki('Test CA');
let relay: Relay;
let server: NodeServer;

beforeAll(async () => {
  relay = await startRelay();
  server = await startNodeServer({
    server: pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' }),
    clientCa: pki.ca.cert,
  });
});

afterAll(async () => {
  await relay?.close();
  await server?.stop();
  pki.close();
});

/** The example of the README, with the addresses of this test. */
async function example(): Promise<string> {
  const text = blockOf('README.md', ({ language }) => language === 'ts')
    .replaceAll('wss://relay.example.com/', relay.url)
    .replaceAll('api.example.com/records', 'api.example.com/sum')
    .replaceAll('api.example.com', `localhost:${server.port}`);
  const { code } = await transformWithOxc(text, 'example.ts');
  return `globalThis.importIdentity = importIdentity;\n${code}\nglobalThis.client = client;`;
}

test('the example of the README imports a file, and posts with mutual TLS then and at the next visit', async () => {
  const pages = await startPages({
    pages: { '/': HTML, '/example.js': await example(), '/server-ca.pem': pki.ca.cert },
    folders: { '/lib/': builtFolder() },
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const complaints = complaintsOf(page);
    const lines: string[] = [];
    page.on('console', message => lines.push(message.text()));
    await page.goto(pages.origin);
    await expect.poll(() => lines, { timeout: 20_000 }).toHaveLength(1);
    expect(lines[0]).toContain('ERR_TLS_CLIENT_CERT_REQUIRED');

    const file = writePkcs12(pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' }), { password: 'secret' });
    await page.evaluate(async bytes => {
      await globalThis.importIdentity(new File([new Uint8Array(bytes)], 'ada.p12'), 'secret');
    }, Array.from(file));
    // On the same visit too.
    const url = `https://localhost:${server.port}/`;
    expect(await page.evaluate(async it => (await globalThis.client.fetch(it)).status, url)).toBe(200);
    await page.reload();
    await expect.poll(() => lines, { timeout: 20_000 }).toHaveLength(2);
    // `hello` has five bytes.
    expect(lines[1]).toMatch(/^200 .*length: 5/);
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
    await pages.stop();
  }
});
