import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MeasuredBrowser } from '../support/measured-page.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';

const MIB = 1 << 20;
const GIB = 1 << 30;
const STALL_MS = 6_000;
/** The kernel's buffers of two TCP connections, and the fixed windows of relay, tunnel and client. */
const MOST_IN_FLIGHT_BYTES = 40 * MIB;
/** Above idle, whatever is on its way. */
const MOST_GROWTH_BYTES = 64 * MIB;
/** What Chromium lets lie of buffers that nobody refers to any more, where bytes go on passing. */
const MOST_GARBAGE_BYTES = 128 * MIB;

declare global {
  var readers: ReadableStreamDefaultReader<Uint8Array>[];
}

const pki = new OpensslPki('Test CA');
const targets: NodeServer[] = [];
let browser: MeasuredBrowser;

beforeAll(async () => {
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  for (const http2 of [true, false]) {
    targets.push(await startNodeServer({ server, clientCa: pki.ca.cert, requireClient: false, http2 }));
  }
  browser = await MeasuredBrowser.start(targets.map(({ port }) => port));
});

afterAll(async () => {
  await browser?.stop();
  for (const target of targets) await target.stop();
  pki.close();
});

/** Starts to read bodies of 1 GiB; with a pause, a piece is read behind each, otherwise the first one alone. */
const startReading = async (from: { address: string; readers: number; pauseMs?: number }) => {
  const readSlowly = async (reader: ReadableStreamDefaultReader<Uint8Array>, pauseMs: number) => {
    for (let last = false; !last; last = (await reader.read()).done) {
      await new Promise(resolve => setTimeout(resolve, pauseMs));
    }
  };
  const start = async () => {
    const response = await client.fetch(from.address);
    const reader = response.body?.getReader();
    if (!reader) throw new Error('no body');
    await reader.read();
    if (from.pauseMs) readSlowly(reader, from.pauseMs).catch(() => {});
    return reader;
  };
  globalThis.readers = await Promise.all(Array.from({ length: from.readers }, start));
};

describe.each([
  ['h2', 0],
  ['http/1.1', 1],
] as const)('over %s', (_protocol, index) => {
  const target = () => targets[index] as NodeServer;
  const origin = () => `https://localhost:${target().port}`;
  const address = () => `${origin()}/bytes?size=${GIB}`;

  test.each([1, 4])('%i readers that stop in a body of 1 GiB hold the server back', async readers => {
    const measured = await browser.open(pki, `${origin()}/`);
    try {
      const sentBefore = target().bytesWritten();
      const reading = measured.page.evaluate(startReading, { address: address(), readers });
      const growth = await measured.peakGrowth(STALL_MS);
      await reading;
      const sent = target().bytesWritten();
      expect(sent - sentBefore).toBeLessThan(readers * MOST_IN_FLIGHT_BYTES);
      const later = await measured.peakGrowth(STALL_MS);
      // Once all windows are full nothing moves at all.
      expect(target().bytesWritten() - sent).toBeLessThan(MIB);
      for (const { page, relay } of [growth, later]) {
        expect(page).toBeLessThan(MOST_GROWTH_BYTES);
        expect(relay).toBeLessThan(MOST_GROWTH_BYTES);
      }

      // Slow is not lost: whoever reads on gets more, and whoever gives up frees the connection.
      const more = await measured.page.evaluate(async () => {
        let bytes = 0;
        while (bytes < 100 << 20) bytes += (await globalThis.readers[0]?.read())?.value?.length ?? Number.NaN;
        await Promise.all(globalThis.readers.map(reader => reader.cancel()));
        await client.close();
        return bytes;
      });
      expect(more).toBeGreaterThanOrEqual(100 * MIB);
    } finally {
      await measured.close();
    }
  });

  test('4 slow readers of 1 GiB each hold the server back', async () => {
    const measured = await browser.open(pki, `${origin()}/`);
    try {
      const sentBefore = target().bytesWritten();
      const reading = measured.page.evaluate(startReading, { address: address(), readers: 4, pauseMs: 100 });
      const early = await measured.peakGrowth(STALL_MS);
      await reading;
      const sent = target().bytesWritten();
      const late = await measured.peakGrowth(STALL_MS);
      const sentLater = target().bytesWritten();
      expect(sentLater).toBeGreaterThan(sent);
      // 64 KiB ten times a second at most.
      const most = 4 * (MOST_IN_FLIGHT_BYTES + 2 * MIB * (STALL_MS / 1000) * 2);
      expect(sentLater - sentBefore).toBeLessThan(most);
      const held = await measured.heldGrowth();
      for (const { page, relay } of [early, late]) {
        expect(page).toBeLessThan(MOST_GROWTH_BYTES + MOST_GARBAGE_BYTES);
        expect(relay).toBeLessThan(MOST_GROWTH_BYTES);
      }
      expect(held.page).toBeLessThan(MOST_GROWTH_BYTES);
      await measured.page.evaluate(() => client.close());
    } finally {
      await measured.close();
    }
  });
});

test('50 readers that stop on one h2 connection hold no more than their windows, and nobody else up', async () => {
  const target = targets[0] as NodeServer;
  const origin = `https://localhost:${target.port}`;
  const connections = target.connections();
  const measured = await browser.open(pki, `${origin}/`);
  try {
    const address = `${origin}/bytes?size=${GIB}`;
    await measured.page.evaluate(startReading, { address, readers: 50 });
    const growth = await measured.peakGrowth(STALL_MS);
    const statuses = await measured.page.evaluate(async url => {
      const statuses: number[] = [];
      for (let count = 0; count < 10; count++) {
        const response = await client.fetch(url);
        await response.text();
        statuses.push(response.status);
      }
      return statuses;
    }, `${origin}/`);
    expect(statuses).toEqual(Array.from({ length: 10 }, () => 200));
    expect(target.connections() - connections).toBe(1);
    // The windows, and as much again that is not collected yet.
    expect(growth.page).toBeLessThan(2 * 50 * MIB + MOST_GROWTH_BYTES);
    expect(growth.relay).toBeLessThan(MOST_GROWTH_BYTES);
  } finally {
    await measured.close();
  }
});

test.each(['gzip', 'deflate', 'br', 'zstd'])(
  'a reader that stops in 1 GiB of zeros with %s lets no more of them be decoded',
  async coding => {
    const origin = `https://localhost:${targets[0]?.port}`;
    const measured = await browser.open(pki, `${origin}/`);
    try {
      const address = `${origin}/zeros?size=${GIB}&coding=${coding}`;
      const reading = measured.page.evaluate(startReading, { address, readers: 1 });
      const peak = await measured.peakGrowth(STALL_MS);
      await reading;
      const held = await measured.heldGrowth();
      console.log(
        `${coding}: at most ${peak.page >> 20} MiB above idle, ${held.page >> 20} MiB of them held`,
      );
      expect(peak.page).toBeLessThan(MOST_GROWTH_BYTES + MOST_GARBAGE_BYTES);
      expect(peak.relay).toBeLessThan(MOST_GROWTH_BYTES);
      expect(held.page).toBeLessThan(MOST_GROWTH_BYTES);

      const more = await measured.page.evaluate(async () => {
        let bytes = 0;
        while (bytes < 200 << 20) {
          const value = (await globalThis.readers[0]?.read())?.value;
          if (!value || value.some(byte => byte !== 0)) throw new Error('these are no zeros');
          bytes += value.length;
        }
        await Promise.all(globalThis.readers.map(reader => reader.cancel()));
        await client.close();
        return bytes;
      });
      expect(more).toBeGreaterThanOrEqual(200 * MIB);
    } finally {
      await measured.close();
    }
  },
);
