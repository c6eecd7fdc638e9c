import { createHash, X509Certificate } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { complaintsOf, launchChromium } from '../support/chromium.js';
import { startRelay } from '../support/client.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startPages } from '../support/pages.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtFolder } from '../support/user-page.js';
import { startBackend } from './backend.js';
import type * as LibrariesPage from './libraries-page.js';
import { PAGE, type PageTask, pageScript } from './page-script.js';

declare global {
  // Set by the page's own script.
  var script: typeof LibrariesPage & LibrariesPage.Examples;
}

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
let relay: Relay;
let browser: Browser;

beforeAll(async () => {
  [relay, browser] = await Promise.all([startRelay(), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await relay?.close();
  pki.close();
});

const taskFor = (port: number): PageTask => ({
  tunnel: relay.url,
  origin: `https://localhost:${port}`,
  file: Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64'),
  password: 'secret',
  anchor: pki.ca.cert,
});

/** Runs with a page that has this script; nobody in it may complain. */
async function withPage<T>(script: string, use: (page: Page) => Promise<T>): Promise<T> {
  const folders = { '/lib/': builtFolder() };
  const pages = await startPages({ pages: { '/': PAGE, '/page.js': script }, folders });
  const page = await browser.newPage();
  try {
    const complaints = complaintsOf(page);
    await page.goto(`${pages.origin}/`);
    await page.waitForFunction(() => document.title === 'ready').catch(() => {});
    expect(complaints).toEqual([]);
    const result = await use(page);
    expect(complaints).toEqual([]);
    return result;
  } finally {
    await page.close();
    await pages.stop();
  }
}

test('a page in Chromium uses the builds of libraries for browsers', async () => {
  const backend = await startBackend(server, pki.ca.cert);
  try {
    const names = [
      ...['axiosOver', 'kyOver', 'urqlOver', 'apolloOver', 'subscriptionsOver', 'eventsOver'],
      ...['boundToken', 'awsHandler', 'tusStack', 'mqttOver', 'socketOver'],
    ];
    const code = await pageScript('test/libraries/libraries-page.ts', 'docs/libraries.md', names);
    const found = await withPage(code, page =>
      page.evaluate(task => script.useLibraries(script, task), taskFor(backend.port)),
    );
    expect(found).toMatchObject({
      posted: { token: 'a+b', body: { name: 'é' } },
      client: 'Client',
      greetings: ['hello é', 'hello é'],
      ticks: [0, 1, 2],
      event: 'second',
      boundTo: createHash('sha256').update(new X509Certificate(pair.cert).raw).digest('base64url'),
      storedBytes: 6 << 20,
      uploadedBytes: 6 << 20,
      message: 'é',
      greeting: 'hello é',
    });
  } finally {
    await backend.stop();
  }
});
