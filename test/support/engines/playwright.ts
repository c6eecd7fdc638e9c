import { type Browser, firefox } from 'playwright-core';
import { launchChromium } from '../chromium.js';
import { type BrowserEngine, callOf } from './engine.js';

export async function openChromium(): Promise<BrowserEngine> {
  return pageOf('Chromium', await launchChromium());
}

/** Debian's Firefox ESR itself, by WebDriver BiDi. */
export async function openFirefox(): Promise<BrowserEngine> {
  const browser = await firefox.launch({
    channel: 'moz-firefox',
    executablePath: '/usr/bin/firefox-esr',
    headless: true,
  });
  return pageOf('Firefox', browser);
}

async function pageOf(name: string, browser: Browser): Promise<BrowserEngine> {
  const page = await browser.newPage();
  return {
    name: `${name} ${browser.version()}`,
    open: async url => {
      await page.goto(url);
    },
    reload: async () => {
      await page.reload();
    },
    run: (act, ...args) => page.evaluate(callOf(act, args)),
    close: () => browser.close(),
  };
}
