import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessibilityFaults } from '../support/axe.js';
import { launchChromium } from '../support/chromium.js';
import { OpensslFiles } from '../support/openssl-files.js';
import { type PageServer, startPages } from '../support/pages.js';
import { builtFolder } from '../support/user-page.js';

// The elements as they are in a page that styles nothing, which may know dark colours or not.
const htmlOf = (
  head: string,
) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Elements</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">${head}
<script type="module" src="/main.js"></script></head>
<body><main><h1>Elements</h1><identity-import></identity-import><identity-picker></identity-picker></main></body></html>`;
const MAIN = `import { IdentityStore } from '/lib/index.js';
import '/lib/elements.js';
const picker = document.querySelector('identity-picker');
const importer = document.querySelector('identity-import');
importer.store = await IdentityStore.open();
globalThis.ask = async ({ inline = false, some = true } = {}) => {
  picker.toggleAttribute('inline', inline);
  const [ada, bob] = some ? await importer.store.find() : [];
  const unfit = selectable => ({ identity: bob, code: 'ERR_TLS_CERT_EXPIRED', message: 'expired', selectable });
  void picker.ask({ candidates: some ? [ada] : [], others: some ? [unfit(true), unfit(false)] : [], host: 'a.test' });
};
document.documentElement.dataset.ready = 'true';`;

const files = new OpensslFiles();
const pkcs12 = (kind: 'p256' | 'rsa2048', name: string) =>
  files.export(files.client(kind), { args: ['-name', name] });
const fileOf = (buffer: Uint8Array) => ({ name: 'ada.p12', mimeType: '', buffer: Buffer.from(buffer) });
const ada = fileOf(pkcs12('p256', 'Ada'));
const bob = fileOf(pkcs12('rsa2048', 'Bob'));
let pages: PageServer;
let browser: Browser;

beforeAll(async () => {
  pages = await startPages({
    pages: {
      '/light': htmlOf(''),
      // Without a background axe-core takes the page for white.
      '/both': htmlOf(
        '<meta name="color-scheme" content="light dark"><style>body { background: Canvas }</style>',
      ),
      '/main.js': MAIN,
    },
    folders: { '/lib/': builtFolder() },
  });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await pages?.stop();
  files.close();
});

const part = (page: Page, name: string) => page.locator(`[part="${name}"]`);

async function importFile(page: Page, file: typeof ada, password: string): Promise<void> {
  await part(page, 'file').setInputFiles(file);
  await part(page, 'password').fill(password);
  await part(page, 'submit').click();
}

async function importBoth(page: Page): Promise<void> {
  for (const file of [ada, bob]) {
    await importFile(page, file, 'secret');
    await part(page, 'status').filter({ hasText: 'Imported' }).waitFor();
  }
}

async function ask(page: Page, question: { inline?: boolean; some?: boolean } = {}): Promise<void> {
  await page.evaluate(
    it => (globalThis as unknown as { ask: (it: object) => Promise<void> }).ask(it),
    question,
  );
  await part(page, 'cancel').last().waitFor();
}

const states: Record<string, (page: Page) => Promise<void>> = {
  'at the start': async () => {},
  'with a file': page => part(page, 'file').setInputFiles(ada),
  'without a file': page => part(page, 'submit').click(),
  'with a wrong password': async page => {
    await importFile(page, ada, 'wrong');
    await part(page, 'error').waitFor();
    await part(page, 'reveal').click();
  },
  'while they import': async page => {
    await page.evaluate(() => {
      const importer = document.querySelector('identity-import') as HTMLElement & { store: unknown };
      importer.store = { add: () => new Promise(() => {}) };
    });
    await importFile(page, ada, 'secret');
    await part(page, 'progress').waitFor();
  },
  'when they ask in a dialog': async page => {
    await importBoth(page);
    await ask(page);
  },
  'when they ask inline': async page => {
    await importBoth(page);
    await ask(page, { inline: true });
  },
  'when there is nothing to choose': page => ask(page, { some: false }),
};

async function withPage(path: string, act: (page: Page) => Promise<void>): Promise<void> {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  try {
    const page = await context.newPage();
    await page.goto(`${pages.origin}${path}`);
    await page.waitForFunction(() => document.documentElement.dataset.ready === 'true');
    await act(page);
  } finally {
    await context.close();
  }
}

test.each(
  ['/light', '/both'].flatMap(path => Object.entries(states).map(([name, reach]) => ({ path, name, reach }))),
)('axe-core finds no fault in the elements on $path $name', ({ path, reach }) =>
  withPage(path, async page => {
    await reach(page);
    expect(await accessibilityFaults(page)).toEqual([]);
  }),
);

test('the name of the chosen file is the name of its control', () =>
  withPage('/light', async page => {
    const name = () => part(page, 'file').ariaSnapshot();
    expect(await name()).toContain('"Choose a .p12 or .pfx file or drop it here"');
    await part(page, 'file').setInputFiles(ada);
    expect(await name()).toMatch(/"ada\.p12 \d+ KB, ready to import"/);
  }));
