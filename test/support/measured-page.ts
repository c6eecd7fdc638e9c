import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import type { MtlsClient } from '../../src/index.js';
import { launchChromium } from './chromium.js';
import type { OpensslPki } from './openssl-pki.js';
import { type RunningProgram, startProgram } from './process.js';
import { startUserPages, type UserPages } from './user-page.js';

const SAMPLE_MS = 250;

declare global {
  /** The client of a measured page. */
  var client: MtlsClient;
}

interface Memory {
  page: number;
  relay: number;
}

/** A page in Chromium with a client that is connected and idle. */
export interface MeasuredPage {
  page: Page;
  /** By how many resident bytes the tab and the relay were at most above idle, from now on for so long. */
  peakGrowth(timeMs: number): Promise<Memory>;
  /** The growth that is left when the tab has collected its garbage. */
  heldGrowth(): Promise<Memory>;
  close(): Promise<void>;
}

/** A browser and a relay as processes of their own, so that their memory is theirs alone. */
export class MeasuredBrowser {
  #browser: Browser;
  #pages: UserPages;
  #relay: RunningProgram;
  #relayUrl: string;

  private constructor(parts: {
    browser: Browser;
    pages: UserPages;
    relay: RunningProgram;
    relayUrl: string;
  }) {
    this.#browser = parts.browser;
    this.#pages = parts.pages;
    this.#relay = parts.relay;
    this.#relayUrl = parts.relayUrl;
  }

  static async start(ports: number[]): Promise<MeasuredBrowser> {
    const browser = await launchChromium();
    const pages = await startUserPages();
    const relay = startProgram(process.execPath, [
      'relay/dist/cli.js',
      ...['--listen', '127.0.0.1:0', '--origin', pages.origin],
      ...ports.flatMap(port => ['--allow', `localhost:${port}`]),
    ]);
    const [relayUrl] = await relay.waitFor(/ws:\/\/\S+/);
    return new MeasuredBrowser({ browser, pages, relay, relayUrl });
  }

  /** `warmUp` is asked for once. */
  async open(pki: OpensslPki, warmUp: string): Promise<MeasuredPage> {
    const user = await this.#pages.open(this.#browser);
    const options = { tunnel: this.#relayUrl, anchor: pki.ca.cert, warmUp };
    await user.page.evaluate(async ({ tunnel, anchor, warmUp }) => {
      globalThis.client = await library.createClient({ tunnel, trust: { anchors: [anchor] } });
      await (await client.fetch(warmUp)).text();
    }, options);
    const idle = await this.#memory();
    return {
      page: user.page,
      close: () => user.close(),
      heldGrowth: async () => {
        const session = await user.context.newCDPSession(user.page);
        for (let count = 0; count < 3; count++) await session.send('HeapProfiler.collectGarbage');
        await session.detach();
        const now = await this.#memory();
        return { page: now.page - idle.page, relay: now.relay - idle.relay };
      },
      peakGrowth: async timeMs => {
        const peak = { page: 0, relay: 0 };
        for (const endMs = performance.now() + timeMs; performance.now() < endMs; await delay(SAMPLE_MS)) {
          const now = await this.#memory();
          peak.page = Math.max(peak.page, now.page - idle.page);
          peak.relay = Math.max(peak.relay, now.relay - idle.relay);
        }
        return peak;
      },
    };
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await this.#relay.stop();
    await this.#pages.stop();
  }

  /** Resident bytes of the browser's renderers and of the relay. */
  async #memory(): Promise<Memory> {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    const page = processInfo
      .filter(({ type }) => type === 'renderer')
      .reduce((sum, { id }) => sum + residentBytes(id), 0);
    return { page, relay: residentBytes(this.#relay.pid) };
  }
}

function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) * 1024;
}
