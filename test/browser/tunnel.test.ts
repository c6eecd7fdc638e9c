import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Relay, RelayEvent } from '../../relay/src/index.js';
import { launchChromium } from '../support/chromium.js';
import { inEachEngine } from '../support/engines/each.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const STREAMS = 100;

const echo = createServer(socket => socket.on('error', () => {}).pipe(socket));
/** Says as much as it may, and reads nothing. */
const endless = createServer(socket => {
  const block = Buffer.alloc(65_536, 1);
  const say = () => {
    while (socket.write(block));
  };
  socket.on('error', () => {}).on('drain', say);
  say();
});
const events: RelayEvent[] = [];
let pages: UserPages;
let relay: Relay;

const portOf = (server: Server) => (server.address() as AddressInfo).port;

beforeAll(async () => {
  pages = await startUserPages();
  for (const server of [echo, endless]) await once(server.listen(0, '127.0.0.1'), 'listening');
  const { createRelay } = await builtRelay();
  relay = await createRelay({
    allow: ['127.0.0.1:*'],
    origins: [pages.origin],
    log: event => events.push(event),
  });
});

afterAll(async () => {
  await relay?.close();
  await pages?.stop();
  for (const server of [echo, endless]) server.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    it(`carries ${STREAMS} streams on one WebSocket, beside one that is not read`, async () => {
      events.length = 0;
      const wrong = await browser.run(
        async ({ url, echoPort, endlessPort, streams }) => {
          const tunnel = globalThis.library.createWebSocketTunnel(url);
          const stalled = await tunnel.connect({ hostname: '127.0.0.1', port: endlessPort });
          const stalledReader = stalled.readable.getReader();
          await stalledReader.read();
          const echoed = async (index: number) => {
            const bytes = new Uint8Array(100_000 + index).fill(index);
            const { readable, writable } = await tunnel.connect({ hostname: '127.0.0.1', port: echoPort });
            const writer = writable.getWriter();
            const written = writer.write(bytes).then(() => writer.close());
            const reader = readable.getReader();
            let length = 0;
            for (let read = await reader.read(); !read.done; read = await reader.read()) {
              if (!read.value.every(byte => byte === index % 256)) return `${index}: another's bytes`;
              length += read.value.length;
            }
            await written;
            return length === bytes.length ? [] : `${index}: ${length} bytes`;
          };
          const results = await Promise.all(Array.from({ length: streams }, (_, index) => echoed(index)));
          await stalledReader.cancel();
          tunnel.close();
          return results.flat();
        },
        { url: relay.url, echoPort: portOf(echo), endlessPort: portOf(endless), streams: STREAMS },
      );
      expect(wrong).toEqual([]);
      expect(events.filter(({ type }) => type === 'opened')).toHaveLength(1);
      expect(events.filter(({ type }) => type === 'stream-opened')).toHaveLength(STREAMS + 1);
      await expect
        .poll(() => events.at(-1), { timeout: 5_000 })
        .toMatchObject({ type: 'closed', code: 1000 });
    }, 60_000);

    it('opens another WebSocket when the relay is there again', async () => {
      const { createRelay } = await builtRelay();
      const options = { allow: ['127.0.0.1:*'], origins: [pages.origin] };
      const first = await createRelay(options);
      const { url: relayUrl, address } = first;
      const connect = (url: string) =>
        browser.run(
          async ({ url: relayAddress, port }) => {
            const own = globalThis as unknown as {
              tunnel?: ReturnType<typeof library.createWebSocketTunnel>;
            };
            own.tunnel ??= library.createWebSocketTunnel(relayAddress);
            try {
              const { readable, writable } = await own.tunnel.connect({ hostname: '127.0.0.1', port });
              await writable.getWriter().write(Uint8Array.of(1, 2, 3));
              const reader = readable.getReader();
              const { value } = await reader.read();
              await reader.cancel();
              return value?.length;
            } catch (error) {
              return (error as { code?: string }).code;
            }
          },
          { url, port: portOf(echo) },
        );
      expect(await connect(relayUrl)).toBe(3);
      await first.close();
      await expect.poll(() => connect(relayUrl)).toBe('ERR_TUNNEL_UNREACHABLE');
      const second = await createRelay({ ...options, listen: `127.0.0.1:${address.port}` });
      expect(await connect(relayUrl)).toBe(3);
      await second.close();
    }, 30_000);
  },
);

/** What the tests below keep in their page. */
interface FrozenPage {
  tunnel: ReturnType<typeof library.createWebSocketTunnel>;
  /** What became of each stream, by its name. */
  echo(name: string): Promise<string>;
  ticks: number;
}

/**
 * Has all processes of pages stand still, or go on. Without a window Chromium shows each page and so freezes none, whatever
 * `Page.setWebLifecycleState` asks for.
 */
async function signalPages(browser: Browser, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  for (const { id } of processInfo.filter(({ type }) => type === 'renderer')) process.kill(id, signal);
  await session.detach();
}

describe('a page whose process stands still, in Chromium', () => {
  it('goes on with its stream afterwards, and opens others; a stream that was lost fails', async () => {
    const { createRelay } = await builtRelay();
    // Pings that a page must answer in less time than it is frozen for.
    const options = { allow: ['127.0.0.1:*'], origins: [pages.origin], pingIntervalMs: 500 };
    const first = await createRelay({ ...options, log: event => events.push(event) });
    const { url, address } = first;
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(`${pages.origin}/`);
      await page.waitForFunction(() => document.title === 'ready');
      const freeze = () => signalPages(browser, 'SIGSTOP');
      const resume = () => signalPages(browser, 'SIGCONT');
      await page.evaluate(
        ({ url: relayUrl, port }) => {
          const own = globalThis as unknown as FrozenPage;
          // The page's own silence, while it is frozen, is longer than these.
          const keepAlive = { keepAliveIntervalMs: 1_000, keepAliveTimeoutMs: 1_000 };
          own.tunnel = library.createWebSocketTunnel(relayUrl, keepAlive);
          own.ticks = 0;
          setInterval(() => own.ticks++, 50);
          const streams = new Map<string, ReturnType<typeof own.tunnel.connect>>();
          own.echo = async name => {
            try {
              const opening = streams.get(name) ?? own.tunnel.connect({ hostname: '127.0.0.1', port });
              streams.set(name, opening);
              const { readable, writable } = await opening;
              const writer = writable.getWriter();
              await writer.write(Uint8Array.of(1, 2, 3));
              writer.releaseLock();
              const reader = readable.getReader();
              const { value } = await reader.read();
              reader.releaseLock();
              return `${value?.length} bytes`;
            } catch (error) {
              return String((error as { code?: string }).code);
            }
          };
        },
        { url, port: portOf(echo) },
      );
      const echoed = (name: string) =>
        page.evaluate(it => (globalThis as unknown as FrozenPage).echo(it), name);
      expect(await echoed('one')).toBe('3 bytes');
      events.length = 0;
      const ticksBefore = await page.evaluate(() => (globalThis as unknown as FrozenPage).ticks);
      await freeze();
      await delay(4_000);
      await resume();
      const ticks = await page.evaluate(() => (globalThis as unknown as FrozenPage).ticks);
      expect(ticks - ticksBefore).toBeLessThan(40);
      expect(await echoed('one')).toBe('3 bytes');
      expect(await echoed('two')).toBe('3 bytes');
      expect(events.filter(({ type }) => type === 'closed')).toEqual([]);

      await freeze();
      await first.close();
      const second = await createRelay({ ...options, listen: `127.0.0.1:${address.port}` });
      await resume();
      expect(await echoed('one')).toBe('ERR_TUNNEL_CLOSED');
      expect(await echoed('three')).toBe('3 bytes');
      await second.close();
    } finally {
      await browser.close();
      await first.close();
    }
  }, 60_000);
});

describe('a page of the public network and a relay on this machine, in Chromium', () => {
  it.each([
    [
      'without its permission is told of Local Network Access',
      [],
      expect.stringContaining('(Local Network Access)'),
    ],
    ['with its permission is let through', ['local-network-access'], 3],
  ])(
    '%s',
    async (_name, permissions, expected) => {
      const { host } = new URL(pages.origin);
      const browser = await launchChromium([`--ip-address-space-overrides=${host}=public`]);
      try {
        const context = await browser.newContext();
        await context.grantPermissions(permissions, { origin: pages.origin });
        const page = await context.newPage();
        await page.goto(`${pages.origin}/`);
        await page.waitForFunction(() => document.title === 'ready');
        const target = { hostname: '127.0.0.1', port: portOf(echo) };
        const outcome = await page.evaluate(
          async ({ url, target: address }) => {
            try {
              const tunnel = globalThis.library.createWebSocketTunnel(url);
              const { readable, writable } = await tunnel.connect(address);
              await writable.getWriter().write(Uint8Array.of(1, 2, 3));
              return (await readable.getReader().read()).value?.length;
            } catch (error) {
              return `${(error as { code?: string }).code}: ${(error as Error).message}`;
            }
          },
          { url: relay.url, target },
        );
        expect(outcome).toEqual(expected);
        const unanswered = (url: string) =>
          page.evaluate(async address => {
            const tunnel = library.createWebSocketTunnel(address, { openTimeoutMs: 500 });
            return tunnel.connect({ hostname: 'a.test', port: 1 }).then(
              () => 'connected',
              error => error.message as string,
            );
          }, url);
        // Where it cannot be the reason it is not named; a name may lead anywhere.
        const elsewhere = await unanswered('ws://203.0.113.1:9/');
        expect(elsewhere).toContain('No browser-mtls relay answered');
        expect(elsewhere).not.toContain('Local Network Access');
        const byName = await unanswered('ws://relay.test:9/');
        if (permissions.length > 0) expect(byName).not.toContain('Local Network Access');
        else expect(byName).toContain('If relay.test leads to an address of the local network');
        if (typeof outcome === 'string') expect(outcome).toContain('ERR_TUNNEL_UNREACHABLE');
      } finally {
        await browser.close();
      }
    },
    30_000,
  );
});
