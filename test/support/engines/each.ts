import { afterAll, beforeAll, describe } from 'vitest';
import type { BrowserEngine } from './engine.js';
import { openChromium, openFirefox } from './playwright.js';
import { openWebKit } from './webkit.js';

/**
 * Describes the same in each engine, at the page with this origin.
 *
 * @param define gets the engine's name, and the engine for the tests to use: the page is ready when they begin
 */
export function inEachEngine(
  origin: () => string,
  define: (browser: BrowserEngine, name: string) => void,
): void {
  describe.each([
    ['Chromium', openChromium],
    ['Firefox', openFirefox],
    ['WebKitGTK', openWebKit],
  ])('%s', (name, launch) => {
    let launched: BrowserEngine | undefined;

    beforeAll(async () => {
      launched = await launch();
      await launched.open(origin());
      await pageReady(launched);
    }, 60_000);
    afterAll(() => launched?.close());

    const running = () => {
      if (!launched) throw new Error(`${name} does not run`);
      return launched;
    };
    const browser: BrowserEngine = {
      get name() {
        return running().name;
      },
      open: url => running().open(url),
      reload: () => running().reload(),
      run: (act, ...args) => running().run(act, ...args),
      close: () => running().close(),
    };
    define(browser, name);
  });
}

/** Waits for the page's script, which makes its title "ready". */
export function pageReady(browser: BrowserEngine): Promise<void> {
  return browser.run(async () => {
    for (let waited = 0; document.title !== 'ready'; waited += 20) {
      if (waited > 10_000) throw new Error(`the page is ${document.title}`);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  });
}
