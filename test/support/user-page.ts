import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type * as RelayModule from '../../relay/src/index.js';
import type * as Library from '../../src/index.js';
import { complaintsOf } from './chromium.js';
import { startPages } from './pages.js';

declare global {
  // Set by the page's own script, for what the tests run in it.
  var library: typeof Library;
}

const htmlOf = (
  connect: string,
) => `<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,">
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval' 'unsafe-inline'; connect-src 'self' ws://127.0.0.1:* ${connect}">
<script type="importmap">{ "imports": { "browser-mtls": "/lib/index.js" } }</script>
<script type="module" src="/main.js"></script></head></html>`;
const MAIN = `import * as library from 'browser-mtls';\nglobalThis.library = library;\ndocument.title = 'ready';\n`;

/** A page of a user: it imports the built package and does nothing by itself. */
export interface UserPage {
  page: Page;
  context: BrowserContext;
  /** Errors that nobody in the page has handled. */
  complaints: string[];
  /** Loads the page again, as at a later visit. */
  visitAgain(): Promise<void>;
  close(): Promise<void>;
}

export interface UserPages {
  origin: string;
  open(browser: Browser): Promise<UserPage>;
  stop(): Promise<void>;
}

/**
 * @param options.before a module that the page runs before it says that it is ready
 * @param options.connect what else the page's policy lets it fetch by itself
 */
export async function startUserPages({ before = '', connect = '' } = {}): Promise<UserPages> {
  const dist = builtFolder();
  const main = `import '/before.js';\n${MAIN}`;
  const pages = await startPages({
    pages: { '/': htmlOf(connect), '/main.js': main, '/before.js': before },
    folders: { '/lib/': dist },
  });
  return {
    origin: pages.origin,
    stop: pages.stop,
    async open(browser) {
      const context = await browser.newContext();
      const page = await context.newPage();
      const complaints = complaintsOf(page);
      const visitAgain = async () => {
        await page.goto(`${pages.origin}/`);
        await page.waitForFunction(() => document.title === 'ready', undefined, { timeout: 10_000 });
      };
      await visitAgain();
      return { page, context, complaints, visitAgain, close: () => context.close() };
    },
  };
}

/** The relay as it was built, not its sources. */
export function builtRelay(): Promise<typeof RelayModule> {
  const path = join(process.cwd(), 'relay/dist/index.js');
  if (!existsSync(path)) throw new Error('there is no build: run npm run build first');
  return import(/* @vite-ignore */ pathToFileURL(path).href);
}

export function builtFolder(): string {
  if (!existsSync('dist/index.js')) throw new Error('there is no build: run npm run build first');
  return join(process.cwd(), 'dist');
}
