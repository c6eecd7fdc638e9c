import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { type RunningProgram, startProgram } from '../support/process.js';
import { startUserPages, type UserPages } from '../support/user-page.js';

const MIB = 1 << 20;
const STALL_MS = 8_000;
/** The kernel's buffers of two TCP connections, and the fixed windows of relay, tunnel and client. */
const MOST_IN_FLIGHT_BYTES = 40 * MIB;
const MOST_GROWTH_BYTES = 64 * MIB;

const pki = new OpensslPki('Test CA');
let browser: Browser;
let pages: UserPages;
let relay: RunningProgram;
let relayUrl: string;
const targets: NodeServer[] = [];

beforeAll(async () => {
  browser = await launchChromium();
  pages = await startUserPages();
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  for (const http2 of [true, false]) {
    targets.push(await startNodeServer({ server, clientCa: pki.ca.cert, requireClient: false, http2 }));
  }
  // A process of its own, so that its memory is that of the relay alone.
  relay = startProgram(process.execPath, [
    'dist/relay-cli.js',
    ...['--listen', '127.0.0.1:0', '--origin', pages.origin],
    ...targets.flatMap(({ port }) => ['--allow', `localhost:${port}`]),
  ]);
  relayUrl = (await relay.waitFor(/ws:\/\/\S+/))[0];
});

afterAll(async () => {
  await browser?.close();
  await relay?.stop();
  for (const target of targets) await target.stop();
  await pages?.stop();
  pki.close();
});

test.each([
  ['h2', 0],
  ['http/1.1', 1],
] as const)(
  'a reader that stops in a body of 1 GiB over %s holds the server back',
  async (_protocol, index) => {
    const target = targets[index] as NodeServer;
    const user = await pages.open(browser);
    try {
      await user.page.evaluate(
        async ({ tunnel, anchor, address }) => {
          const client = await library.createClient({ tunnel, trust: { anchors: [anchor] } });
          const response = await client.fetch(address);
          const reader = response.body?.getReader();
          if (!reader) throw new Error('no body');
          Object.assign(globalThis, { client, reader });
          await reader.read();
        },
        {
          tunnel: relayUrl,
          anchor: pki.ca.cert,
          address: `https://localhost:${target.port}/bytes?size=${1 << 30}`,
        },
      );
      await delay(1000);
      const before = await memory(browser, relay.pid);
      const sentBefore = target.bytesWritten();
      await delay(STALL_MS);
      const after = await memory(browser, relay.pid);

      expect(target.bytesWritten()).toBeLessThan(MOST_IN_FLIGHT_BYTES);
      // Once all windows are full nothing moves at all.
      expect(target.bytesWritten() - sentBefore).toBeLessThan(MIB);
      expect(after.page - before.page).toBeLessThan(MOST_GROWTH_BYTES);
      expect(after.relay - before.relay).toBeLessThan(MOST_GROWTH_BYTES);

      // Slow is not lost: whoever reads on gets more, and whoever gives up frees the connection.
      const more = await user.page.evaluate(async () => {
        const { reader, client } = globalThis as unknown as {
          reader: ReadableStreamDefaultReader<Uint8Array>;
          client: { close(): Promise<void> };
        };
        let bytes = 0;
        while (bytes < 100 << 20) bytes += (await reader.read()).value?.length ?? Number.NaN;
        await reader.cancel();
        await client.close();
        return bytes;
      });
      expect(more).toBeGreaterThanOrEqual(100 * MIB);
    } finally {
      await user.close();
    }
  },
);

test('50 readers that stop on one h2 connection hold no more than their windows, and nobody else up', async () => {
  const target = targets[0] as NodeServer;
  const user = await pages.open(browser);
  try {
    const connections = target.connections();
    const page = { tunnel: relayUrl, anchor: pki.ca.cert, origin: `https://localhost:${target.port}` };
    await user.page.evaluate(async ({ tunnel, anchor, origin }) => {
      const client = await library.createClient({ tunnel, trust: { anchors: [anchor] } });
      await (await client.fetch(`${origin}/`)).text();
      Object.assign(globalThis, { client });
    }, page);
    const before = await memory(browser, relay.pid);
    const statuses = await user.page.evaluate(async ({ origin }) => {
      const { client } = globalThis as unknown as { client: { fetch: typeof fetch } };
      const stalled = await Promise.all(
        Array.from({ length: 50 }, () => client.fetch(`${origin}/bytes?size=${1 << 30}`)),
      );
      Object.assign(globalThis, { stalled });
      await new Promise(resolve => setTimeout(resolve, 5_000));
      const statuses: number[] = [];
      for (let count = 0; count < 10; count++) {
        const response = await client.fetch(`${origin}/`);
        await response.text();
        statuses.push(response.status);
      }
      return statuses;
    }, page);
    const after = await memory(browser, relay.pid);
    expect(statuses).toEqual(Array.from({ length: 10 }, () => 200));
    expect(target.connections() - connections).toBe(1);
    // The windows, and as much again that is not collected yet.
    expect(after.page - before.page).toBeLessThan(2 * 50 * MIB + MOST_GROWTH_BYTES);
    expect(after.relay - before.relay).toBeLessThan(MOST_GROWTH_BYTES);
  } finally {
    await user.close();
  }
});

/** Resident bytes of the browser's renderers and of the relay. */
async function memory(of: Browser, relayPid: number) {
  const session = await of.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const page = processInfo
    .filter(({ type }) => type === 'renderer')
    .reduce((sum, { id }) => sum + residentBytes(id), 0);
  return { page, relay: residentBytes(relayPid) };
}

function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) * 1024;
}
