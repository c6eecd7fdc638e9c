import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { complaintsOf, launchChromium } from '../support/chromium.js';
import { startRelay } from '../support/client.js';
import { startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { type PageServer, startPages } from '../support/pages.js';

const LOOKS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 360, height: 740 } },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
} as const;

let site: PageServer;
let browser: Browser;
let addresses: string[];

beforeAll(async () => {
  execFileSync('npm', ['run', 'docs'], { stdio: 'pipe' });
  site = await startPages({ folders: { '/': 'site/dist' } });
  addresses = readdirSync('site/dist').filter(name => name.endsWith('.html') && name !== '404.html');
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await site?.stop();
});

/** The page of each document, and two of the API. */
test.each(Object.entries(LOOKS))('the site has no errors and fits: %s', async (name, look) => {
  const context = await browser.newContext(look);
  try {
    const page = await context.newPage();
    const complaints = complaintsOf(page);
    expect(addresses.length).toBeGreaterThan(15);
    const visited = name === 'dark' ? ['index.html', 'errors.html', 'demo.html'] : addresses;
    for (const address of [
      ...visited,
      'api/index/functions/createClient.html',
      'api/relay/functions/createRelay.html',
    ]) {
      await page.goto(`${site.origin}/${address}`);
      await page.locator('.VPNav').waitFor();
      if (address !== 'demo.html') expect((await page.locator('h1').count()) > 0, address).toBe(true);
      expect(await overflow(page), `${address} is wider than the ${name}`).toBe(0);
      expect(await wideTables(page), `tables of ${address} that scroll sideways on the ${name}`).toEqual([]);
    }
    expect(await page.evaluate(() => document.documentElement.classList.contains('dark'))).toBe(
      name === 'dark',
    );
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
  }
});

function overflow(page: Page): Promise<number> {
  return page.evaluate(() =>
    Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth),
  );
}

/** The first words of each table that is wider than its column. */
function wideTables(page: Page): Promise<string[]> {
  return page
    .locator('.vp-doc table')
    .evaluateAll(tables =>
      tables.filter(it => it.scrollWidth > it.clientWidth).map(it => it.textContent.trim().slice(0, 60)),
    );
}

test('the search finds a code', async () => {
  const page = await browser.newPage();
  await page.goto(`${site.origin}/index.html`);
  await page.locator('.VPNavBarSearch button').first().click();
  await page.locator('#localsearch-input').fill('ERR_TUNNEL_DENIED');
  await page.locator('#localsearch-list a').first().waitFor();
  expect(await page.locator('#localsearch-list a').first().getAttribute('href')).toContain('errors.html');
  await page.close();
});

test('the demo asks for a relay, and gets an answer through it', async () => {
  const pki = new OpensslPki('Test CA');
  const server = await startNodeServer({
    server: pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' }),
    clientCa: pki.ca.cert,
    requireClient: false,
  });
  const relay = await startRelay();
  const page = await browser.newPage();
  try {
    const complaints = complaintsOf(page);
    await page.goto(`${site.origin}/demo.html`);
    const demo = page.frameLocator('iframe.demo');
    await demo.locator('#relay-url').fill('https://relay.example.com/');
    await demo.locator('#relay-form button').click();
    await demo.getByText('The address must begin with wss:').waitFor();
    await demo.locator('#relay-url').fill(relay.url);
    await demo.locator('#relay-anchors').fill(pki.ca.cert);
    await demo.locator('#relay-form button').click();
    await demo.locator('#custom-target').fill(`localhost:${server.port}`);
    await demo.locator('#connect').click();
    await demo.getByText('Answered with 200').waitFor({ timeout: 30_000 });
    expect(complaints).toEqual([]);
  } finally {
    await page.close();
    await relay.close();
    await server.stop();
    pki.close();
  }
});
