import { describe, expect, test } from 'vitest';
import {
  encodeCredit,
  encodeData,
  encodeEnd,
  encodeOpened,
  encodePong,
} from '../../../src/tunnel/wire/frames.js';
import {
  ADDRESS,
  MIB,
  openStream,
  openTunnel,
  platform,
  polite,
  sleep,
  startScriptedRelay,
} from './support/scripted-relay.js';

const KIB = 1024;

test('300 streams at once each get their own bytes', async () => {
  const { url, pages } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome({ maxStreams: 1_000 });
    if (frame.type === 'open') page.send(encodeOpened(frame.stream));
    if (frame.type === 'data') page.send(encodeData(frame.stream, frame.payload));
    if (frame.type === 'end') page.send(encodeEnd(frame.stream));
  });
  const tunnel = openTunnel(url);
  const echoes = Array.from({ length: 300 }, async (_, index) => {
    const { writer, reader } = await openStream(tunnel);
    const bytes = new Uint8Array(2_000 + index).fill(index);
    await writer.write(bytes);
    void writer.close();
    const received: Uint8Array[] = [];
    for (let read = await reader.read(); !read.done; read = await reader.read()) received.push(read.value);
    expect(Buffer.concat(received).equals(bytes)).toBe(true);
  });
  await Promise.all(echoes);
  expect(pages).toHaveLength(1);
});

test('a stalled reader holds up no other stream', async () => {
  const { url, page } = await startScriptedRelay(polite);
  const tunnel = openTunnel(url, {
    windowBytes: 256 * KIB,
    maxWindowBytes: 256 * KIB,
    socketWindowBytes: 256 * KIB,
  });
  await openStream(tunnel);
  const other = await openStream(tunnel);
  await expect.poll(() => page().of('open')).toHaveLength(2);
  page().send(encodeData(1, new Uint8Array(256 * KIB)));
  await expect
    .poll(() =>
      page()
        .of('credit')
        .reduce((sum, { bytes }) => sum + bytes, 0),
    )
    .toBe(256 * KIB);
  page().send(encodeData(2, Uint8Array.of(2)));
  expect((await other.reader.read()).value).toEqual(Uint8Array.of(2));
});

test('a stalled target holds up no other stream', async () => {
  const { url, page } = await startScriptedRelay(polite);
  const tunnel = openTunnel(url);
  const [stalled, other] = [await openStream(tunnel), await openStream(tunnel)];
  stalled.writer.write(new Uint8Array(2 * MIB)).catch(() => {});
  await expect.poll(() => page().dataBytes(1)).toBe(MIB);
  await other.writer.write(new Uint8Array(MIB));
  await expect.poll(() => page().dataBytes(2)).toBe(MIB);
});

test('streams share scarce credit by turns', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome({ socketWindowBytes: 65_536, streamWindowBytes: 16 * MIB });
    if (frame.type === 'open') page.send(encodeOpened(frame.stream));
  });
  const tunnel = openTunnel(url);
  const streams = await Promise.all([openStream(tunnel), openStream(tunnel), openStream(tunnel)]);
  for (const { writer } of streams) writer.write(new Uint8Array(4 * MIB)).catch(() => {});
  await expect.poll(() => page().dataBytes()).toBe(65_536);
  // As long as all have something to say, each round gives each stream one message.
  for (let round = 0; round < 9; round++) {
    const before = page().dataBytes();
    page().send(encodeCredit(0, 100_000));
    await expect.poll(() => page().dataBytes()).toBe(before + 100_000);
  }
  expect([1, 2, 3].map(stream => page().dataBytes(stream))).toEqual([365_536, 300_000, 300_000]);
});

test('no more waits in the WebSocket than its network takes', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    polite(frame, page);
    if (frame.type === 'ping' && page.of('ping').length <= 3) page.send(encodePong(frame.nonce));
  });
  const buffered = { bytes: 0 };
  function Slow(...args: ConstructorParameters<typeof globalThis.WebSocket>) {
    return Object.defineProperty(new platform.WebSocket(...args), 'bufferedAmount', {
      get: () => buffered.bytes,
    });
  }
  const tunnel = openTunnel(url, { WebSocket: Slow as unknown as typeof globalThis.WebSocket });
  const { writer } = await openStream(tunnel);
  await expect.poll(() => page().of('open')).toHaveLength(1);
  await expect.poll(() => page().of('ping')).toHaveLength(3);
  await sleep(20);
  buffered.bytes = 512 * KIB;
  let written = false;
  void writer.write(Uint8Array.of(1)).then(() => {
    written = true;
  });
  await sleep(50);
  expect([written, page().dataBytes()]).toEqual([false, 0]);
  // The answer to a PING shows that bytes have left, also where timers sleep.
  expect(page().of('ping')).toHaveLength(4);
  buffered.bytes = 0;
  await expect.poll(() => page().dataBytes()).toBe(1);
  expect(written).toBe(true);
});

describe('before WELCOME', () => {
  test('8 streams and 64 KiB go out; the others wait', async () => {
    const { url, page } = await startScriptedRelay(() => {});
    const tunnel = openTunnel(url);
    const streams = await Promise.all(Array.from({ length: 8 }, () => openStream(tunnel)));
    const ninth = openStream(tunnel);
    for (const { writer } of streams) writer.write(new Uint8Array(10_000)).catch(() => {});
    await expect.poll(() => page().dataBytes()).toBe(65_536);
    await sleep(50);
    expect([page().dataBytes(), page().of('open').length]).toEqual([65_536, 8]);
    page().welcome();
    await ninth;
    await expect.poll(() => [page().dataBytes(), page().of('open').length]).toEqual([80_000, 9]);
  });

  test('a stream that was given up counts among the 8', async () => {
    const { url, page } = await startScriptedRelay(() => {});
    const tunnel = openTunnel(url);
    const streams = await Promise.all(Array.from({ length: 8 }, () => openStream(tunnel)));
    await streams[0]?.reader.cancel();
    const ninth = openStream(tunnel);
    await sleep(50);
    expect(page().of('open')).toHaveLength(8);
    page().welcome();
    await ninth;
  });
});

describe('a relay that allows 2 streams', () => {
  const two = (frame: Parameters<typeof polite>[0], page: Parameters<typeof polite>[1]) => {
    if (frame.type === 'hello') page.welcome({ maxStreams: 2 });
    if (frame.type === 'open') page.send(encodeOpened(frame.stream));
  };

  test('gets the third when one has ended', async () => {
    const { url, page } = await startScriptedRelay(two);
    const tunnel = openTunnel(url);
    await openStream(tunnel);
    const second = await openStream(tunnel);
    await expect.poll(() => page().of('ping')).toHaveLength(1);
    const third = openStream(tunnel);
    await sleep(50);
    expect(page().of('open')).toHaveLength(2);
    await second.writer.close();
    await sleep(50);
    expect(page().of('open')).toHaveLength(2);
    page().send(encodeEnd(2));
    await third;
    await expect.poll(() => page().of('open')).toHaveLength(3);
  });

  test('fails the third when none ends in time, and lets it go by its signal', async () => {
    const { url, page } = await startScriptedRelay(two);
    const tunnel = openTunnel(url, { openTimeoutMs: 2_000 });
    await Promise.all([openStream(tunnel), openStream(tunnel)]);
    await expect.poll(() => page().of('ping')).toHaveLength(1);
    const gone = tunnel.connect(ADDRESS, { signal: AbortSignal.timeout(50) });
    await expect(gone).rejects.toMatchObject({ name: 'TimeoutError' });
    await expect(tunnel.connect(ADDRESS)).rejects.toMatchObject({
      code: 'ERR_TUNNEL_UNREACHABLE',
      message: expect.stringContaining('2 streams'),
    });
  });
});

describe('the window of a stream', () => {
  /** Answers HELLO and PING after `roundTripMs`, and keeps stream 1 as full as it may be. */
  const source = (roundTripMs: number, bytes: { sent: number }) => {
    let credit = 65_536;
    const fill = (page: Parameters<typeof polite>[1]) => {
      for (; credit > 0; credit -= 16_384, bytes.sent += 16_384)
        page.send(encodeData(1, new Uint8Array(Math.min(16_384, credit))));
    };
    return (frame: Parameters<typeof polite>[0], page: Parameters<typeof polite>[1]) => {
      if (frame.type === 'hello') setTimeout(() => page.welcome(), roundTripMs);
      if (frame.type === 'ping') setTimeout(() => page.send(encodePong(frame.nonce)), roundTripMs);
      if (frame.type === 'open') setTimeout(() => page.send(encodeOpened(1)), roundTripMs);
      if (frame.type === 'credit' && frame.stream === 1) credit += frame.bytes;
      if (frame.type === 'end' || (frame.type === 'credit' && frame.stream === 1)) fill(page);
    };
  };

  test('grows where a whole one is taken in a round trip, the first one too, up to its bound', async () => {
    const bytes = { sent: 0 };
    const { url, page } = await startScriptedRelay(source(200, bytes));
    const tunnel = openTunnel(url, { windowBytes: 65_536, maxWindowBytes: 262_144 });
    const { reader, writer } = await openStream(tunnel);
    await sleep(600);
    await writer.close();
    const grantedBytes = () =>
      page()
        .of('credit')
        .reduce((sum, { stream, bytes }) => sum + (stream === 1 ? bytes : 0), 0);
    let taken = 0;
    const take = async (bytes: number) => {
      while (taken < bytes) taken += (await reader.read()).value?.length ?? 0;
    };
    await take(65_536);
    // Fourfold, at once.
    await expect.poll(grantedBytes).toBe(4 * 65_536);
    await take(2 * MIB);
    await sleep(50);
    const granted = grantedBytes();
    // What has been granted beyond what was taken is the growth; less than a quarter of the window may not have been granted yet.
    const windowBytes = 65_536 + granted - taken;
    expect(windowBytes).toBeLessThanOrEqual(262_144);
    expect(windowBytes).toBeGreaterThan((262_144 * 3) / 4);
  });

  test('stays as it is on a short path', async () => {
    const bytes = { sent: 0 };
    const { url, page } = await startScriptedRelay(source(0, bytes));
    const { reader, writer } = await openStream(openTunnel(url, { windowBytes: 65_536 }));
    await sleep(50);
    await writer.close();
    let taken = 0;
    while (taken < MIB / 2) {
      await sleep(50);
      taken += (await reader.read()).value?.length ?? 0;
    }
    await sleep(50);
    const granted = page()
      .of('credit')
      .reduce((sum, { stream, bytes }) => sum + (stream === 1 ? bytes : 0), 0);
    expect(65_536 + granted - taken).toBeLessThanOrEqual(65_536);
  });
});

test('the window of the socket begins with 512 KiB, and grows like those of streams', async () => {
  let sentBytes = 0;
  const { url, page } = await startScriptedRelay((frame, page) => {
    const send = (bytes: number) => {
      if (sentBytes >= 2 * MIB) return;
      for (let left = bytes; left > 0; left -= 131_072)
        page.send(encodeData(1, new Uint8Array(Math.min(left, 131_072))));
      sentBytes += bytes;
    };
    if (frame.type === 'hello') setTimeout(() => page.welcome(), 300);
    if (frame.type === 'credit' && frame.stream === 0) send(frame.bytes);
    if (frame.type !== 'ping' || page.of('ping').length > 1) return;
    setTimeout(() => {
      page.send(encodeOpened(1), encodePong(frame.nonce));
      send(512 * KIB);
    }, 300);
  });
  await openStream(openTunnel(url, { windowBytes: 4 * MIB, socketWindowBytes: 800 * KIB }));
  await expect.poll(() => sentBytes).toBeGreaterThanOrEqual(2 * MIB);
  expect(page().of('hello')).toMatchObject([{ socketWindowBytes: 512 * KIB }]);
  // What was granted beyond what came is the growth, less what is not granted again yet: a quarter of the window at most.
  const grown = () =>
    page()
      .of('credit')
      .reduce((sum, { bytes }) => sum + bytes, 0) - sentBytes;
  await expect.poll(grown).toBeGreaterThan(88 * KIB);
  expect(grown()).toBeLessThanOrEqual(288 * KIB);
});

test('a further stream begins with the window that the first has needed', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type !== 'hello') return;
    // A round trip of 300 ms, and a whole window in less.
    setTimeout(() => {
      page.welcome();
      page.send(encodeOpened(1));
      for (let bytes = 0; bytes < MIB; bytes += 256 * KIB)
        page.send(encodeData(1, new Uint8Array(256 * KIB)));
    }, 300);
  });
  const tunnel = openTunnel(url);
  const first = await openStream(tunnel);
  for (let bytes = 0; bytes < MIB; ) bytes += (await first.reader.read()).value?.length ?? Number.NaN;
  const granted = (stream: number) =>
    page()
      .of('credit')
      .reduce((sum, it) => sum + (it.stream === stream ? it.bytes : 0), 0);
  await expect.poll(() => granted(1)).toBe(4 * MIB);
  await openStream(tunnel);
  await expect.poll(() => page().of('open')).toHaveLength(2);
  // With OPEN, before anything has come.
  await expect.poll(() => page().frames.at(-1)).toMatchObject({ type: 'credit', stream: 2, bytes: 3 * MIB });
});
