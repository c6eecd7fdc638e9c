import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { sleep, startEcho, startRelay, startTarget, until } from './support/harness.js';
import { TestPage } from './support/test-page.js';

const BYTES_PER_SECOND = 4_000_000;
const TICK_MS = 5;

/** A way to the relay that passes so many bytes a second to the page, and keeps hardly any. */
async function startSlowWay(port: number): Promise<{ url: string }> {
  const server = createServer(page => {
    const relay = connectTcp({ port, host: '127.0.0.1', noDelay: true });
    const timer = setInterval(() => passSome(relay, page), TICK_MS);
    page.pipe(relay);
    for (const socket of [page, relay]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        clearInterval(timer);
        page.destroy();
        relay.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

function passSome(from: Socket, to: Socket): void {
  const bytes = Math.round((BYTES_PER_SECOND * TICK_MS) / 1000);
  const chunk = from.read(Math.min(bytes, from.readableLength)) as Buffer | null;
  if (chunk) to.write(chunk);
}

test('behind a slow network ten small streams are answered beside a bulk one', {
  timeout: 60_000,
}, async () => {
  const bulk = await startTarget(socket => {
    const block = Buffer.alloc(65_536, 'x');
    const more = () => {
      while (socket.write(block));
    };
    socket.on('drain', more);
    more();
  });
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: ['127.0.0.1:*'] });
  // What is on its way is the page's to bound: its window for the socket says how much.
  const page = await TestPage.open(await startSlowWay(relay.address.port), {
    hello: { socketWindowBytes: 262_144, streamWindowBytes: 16_777_216 },
  });
  page.open(1, bulk.port);
  await until(() => page.receivedBytes(1) > 2_000_000);
  const bulkBefore: number[] = [];
  for (let round = 0; round < 5; round++) {
    for (let stream = 2; stream <= 11; stream++) {
      if (round === 0) page.open(stream, echo.port);
      const bytes = page.receivedBytes(1);
      page.write(stream, `question ${round}`);
      void until(() => page.receivedBytes(stream) === 10 * (round + 1)).then(() =>
        bulkBefore.push(page.receivedBytes(1) - bytes),
      );
    }
    await until(() => bulkBefore.length === 10 * (round + 1));
    await sleep(50);
  }
  // At most what was on its way, which is the socket's window, and what came until the answer was seen.
  expect(bulkBefore.toSorted((a, b) => a - b)[47]).toBeLessThan(1_000_000);
  const before = page.receivedBytes(1);
  await until(() => page.receivedBytes(1) > before + 500_000);
});

test('streams with much to send have equal shares', { timeout: 60_000 }, async () => {
  const record = Buffer.alloc(16_389, 'x');
  record.set([23, 3, 3, 0x40, 0]);
  const bulk = await startTarget(socket => {
    const more = () => {
      while (socket.write(record));
    };
    socket.on('drain', more);
    more();
  });
  const { relay } = await startRelay({ allow: ['127.0.0.1:*'] });
  const page = await TestPage.open(await startSlowWay(relay.address.port), {
    hello: { socketWindowBytes: 1_048_576, streamWindowBytes: 1_048_576 },
  });
  const streams = [1, 2, 3, 4, 5];
  for (const stream of streams) page.open(stream, bulk.port);
  const shares = () => streams.map(stream => page.receivedBytes(stream));
  await until(() => shares().reduce((sum, bytes) => sum + bytes) > 12_000_000);
  expect(Math.min(...shares())).toBeGreaterThan(Math.max(...shares()) / 2);
});

test('a window grows on a long path, and not on a short one', { timeout: 60_000 }, async () => {
  const sink = await startTarget(socket => socket.resume());
  const { relay } = await startRelay({ allow: ['127.0.0.1:*'], windowBytes: 65_536 });
  const upload = async (url: string, delayMs: number) => {
    const page = await TestPage.open({ url }, {});
    const { streamWindowBytes } = await page.welcome();
    await sleep(2 * delayMs + 50);
    page.open(1, sink.port);
    let granted = streamWindowBytes;
    let sent = 0;
    let credits = 0;
    const endsAt = Date.now() + 1500;
    while (Date.now() < endsAt && sent < 20_000_000) {
      for (const frame of page.frames.splice(0)) {
        if (frame.type === 'credit' && frame.stream === 1) granted += frame.bytes;
      }
      credits++;
      for (; granted >= 16_384; granted -= 16_384, sent += 16_384) page.write(1, new Uint8Array(16_384));
      await sleep(1);
    }
    expect(credits).toBeGreaterThan(0);
    return sent;
  };
  // A window of 64 KiB in 100 ms is a MiB in 1.6 s.
  const sent = await upload((await startDelay(relay.address.port, 50)).url, 50);
  expect(sent).toBeGreaterThan(4_000_000);
});

test('a further stream’s window grows at once to what the first has needed', async () => {
  const sink = await startTarget(socket => socket.resume());
  const { relay } = await startRelay({ allow: ['127.0.0.1:*'], windowBytes: 65_536 });
  const page = await TestPage.open({ url: (await startDelay(relay.address.port, 100)).url }, {});
  await page.welcome();
  // The relay measures the round trip by the answer to its PING.
  await sleep(300);
  const granted = (stream: number) =>
    page.frames.reduce((sum, it) => sum + (it.type === 'credit' && it.stream === stream ? it.bytes : 0), 0);
  page.open(1, sink.port);
  page.write(1, new Uint8Array(65_536));
  await until(() => granted(1) === 4 * 65_536);
  page.write(1, new Uint8Array(4 * 65_536));
  await until(() => granted(1) === 20 * 65_536);
  page.open(2, sink.port);
  page.write(2, new Uint8Array(65_536));
  await until(() => granted(2) === 16 * 65_536);
});

/** A way to the relay that takes so many milliseconds in each direction. */
async function startDelay(port: number, delayMs: number): Promise<{ url: string }> {
  const server = createServer(page => {
    const relay = connectTcp({ port, host: '127.0.0.1', noDelay: true });
    for (const [from, to] of [
      [page, relay],
      [relay, page],
    ] as const) {
      from.on('data', chunk => setTimeout(() => to.write(chunk), delayMs));
      from.on('error', () => {});
      from.on('close', () => setTimeout(() => to.destroy(), delayMs));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}
