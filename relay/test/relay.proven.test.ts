import { expect, test } from 'vitest';
import { encodeReset } from '../../src/tunnel/wire/frames.js';
import type { RelayOptions } from '../src/index.js';
import {
  type Client,
  connect,
  pageWebSocket,
  sleep,
  startEcho,
  startRelay,
  startTarget,
  tunnelTo,
  until,
} from './support/harness.js';
import { TestPage } from './support/test-page.js';

const TOKEN = 'a-token-of-pages';
const MiB = 1024 * 1024;

async function startPage(options: RelayOptions) {
  const echo = await startEcho();
  const started = await startRelay({ allow: [`127.0.0.1:${echo.port}`], ...options });
  return { ...started, echo, page: await connect(tunnelTo(started.relay), echo.port) };
}

async function readBytes(reader: ReadableStreamDefaultReader<Uint8Array>, count: number): Promise<void> {
  for (let received = 0; received < count; ) received += (await reader.read()).value?.length ?? count;
}

/** Milliseconds until a byte has come back. */
async function roundTripMs({ reader, writer }: Client): Promise<number> {
  const startedAt = Date.now();
  await writer.write(Uint8Array.of(1));
  await readBytes(reader, 1);
  return Date.now() - startedAt;
}

/** Sends so many messages of one byte, and waits for the echo of all. */
async function sendSmall({ reader, writer }: Client, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) await writer.write(Uint8Array.of(1));
  await readBytes(reader, count);
}

test('a page that is over the rate of frames waits, and others do not', async () => {
  const { page, relay, echo } = await startPage({ framesPerSecond: 100 });
  const other = await connect(tunnelTo(relay), echo.port);
  // What has been read already is passed on; what comes next waits for the debt of some hundred.
  await sendSmall(page, 500);
  const [waitedMs, otherMs] = await Promise.all([roundTripMs(page), roundTripMs(other)]);
  expect(waitedMs).toBeGreaterThan(900);
  expect(otherMs).toBeLessThan(waitedMs / 2);
});

test('the frames of all WebSockets of an address have a rate as well', async () => {
  const { page, relay, echo } = await startPage({ framesPerSecondPerAddress: 100 });
  const other = await connect(tunnelTo(relay), echo.port);
  await Promise.all([sendSmall(page, 250), sendSmall(other, 250)]);
  // The bucket is in debt for both.
  const waits = await Promise.all([roundTripMs(page), roundTripMs(other)]);
  expect(Math.max(...waits)).toBeGreaterThan(900);
});

test('bytes from a page beyond the rate wait', async () => {
  let receivedBytes = 0;
  const target = await startTarget(socket => {
    socket.on('data', chunk => {
      receivedBytes += chunk.length;
    });
  });
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`], bytesPerSecond: 200_000 });
  const { writer } = await connect(tunnelTo(relay), target.port);
  const startedAt = Date.now();
  // A message that was read with the one before does not wait: its bytes count for the next.
  await writer.write(new Uint8Array(900_000));
  await until(() => receivedBytes === 900_000);
  expect(Date.now() - startedAt).toBeGreaterThan(1000);
});

test('bytes to a page beyond the rate wait', async () => {
  const target = await startTarget(socket => socket.write(new Uint8Array(600_000)));
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`], bytesPerSecond: 200_000 });
  const { reader } = await connect(tunnelTo(relay), target.port);
  const startedAt = Date.now();
  await readBytes(reader, 600_000);
  expect(Date.now() - startedAt).toBeGreaterThan(1000);
});

test('when the relay holds too much, the WebSocket that holds most is closed, and others go on', async () => {
  const stuck = await startTarget(socket => socket.pause());
  const { page, relay, events } = await startPage({
    ...{ allow: ['127.0.0.1:*'], maxBufferedBytes: 3 * MiB, windowBytes: 16 * MiB },
  });
  const heavy = await connect(tunnelTo(relay), stuck.port);
  const writing = (async () => {
    for (let count = 0; count < 64; count++) await heavy.writer.write(new Uint8Array(MiB));
  })();
  await expect(writing).rejects.toMatchObject({
    code: 'ERR_TUNNEL_UNREACHABLE',
    message: expect.stringContaining('memory'),
  });
  expect(events).toContainEqual(expect.objectContaining({ type: 'closed', code: 4013, reason: 'memory' }));
  await page.writer.write(Uint8Array.of(1));
  await readBytes(page.reader, 1);
});

test('WebSockets of a subject have a limit', async () => {
  const echo = await startEcho();
  const { relay, events } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], tokens: [{ name: 'app', token: TOKEN }] },
    maxConnectionsPerSubject: 1,
  });
  const first = await connect(tunnelTo(relay, { token: TOKEN }), echo.port);
  await first.writer.write(Uint8Array.of(1));
  await readBytes(first.reader, 1);
  const second = await connect(tunnelTo(relay, { token: TOKEN }), echo.port);
  await expect(second.reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_UNREACHABLE' });
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'closed', code: 4013, reason: 'connections-per-subject' }),
  );
});

test.each([
  ['connections', { maxConnections: 1 }],
  ['connections-per-address', { maxConnectionsPerAddress: 1 }],
])('WebSockets have a limit: %s', async (reason, limits) => {
  const { relay } = await startRelay(limits);
  await (await TestPage.open(relay)).welcome();
  const second = await TestPage.open(relay);
  expect(await second.closed()).toEqual({ code: 4013, reason });
});

const streamLimits: [string, RelayOptions, RegExp][] = [
  ['streams-in-all', { maxStreamsInAll: 3 }, /--max-streams-in-all/],
  ['streams-per-address', { maxStreamsPerAddress: 3 }, /--max-streams-per-address/],
  ['streams-per-subject', { maxStreamsPerSubject: 3 }, /--max-streams-per-subject/],
];

test.each(streamLimits)('streams of several WebSockets have a limit: %s', async (reason, limits, message) => {
  const echo = await startEcho();
  const { relay, events } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`, '127.0.0.1:1'], tokens: [{ name: 'app', token: TOKEN }] },
    ...limits,
  });
  const hello = { token: TOKEN };
  const [first, second] = [await TestPage.open(relay, { hello }), await TestPage.open(relay, { hello })];
  for (const stream of [1, 2]) first.open(stream, echo.port);
  await first.opened(2);
  // What travels behind HELLO counts as well.
  second.open(1, echo.port);
  second.open(2, echo.port);
  expect(await second.reset(2)).toMatchObject({ code: 3, reason });
  // A stream that ends, in whatever way, gives its place back: by the page, by its target, or because there is none.
  first.send(encodeReset({ stream: 1, code: 0, reason: '' }));
  await until(() => events.some(({ type }) => type === 'stream-closed'));
  second.open(3, 1);
  expect(await second.reset(3)).toMatchObject({ code: 2, reason: 'refused' });
  second.open(4, echo.port);
  await second.opened(4);
  const { reader } = await connect(tunnelTo(relay, { token: TOKEN }), echo.port);
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_UNREACHABLE', message });
  first.webSocket.terminate();
  await until(() => relay.connections === 2);
  const { writer, ...client } = await connect(tunnelTo(relay, { token: TOKEN }), echo.port);
  await writer.write(Uint8Array.of(1));
  expect((await client.reader.read()).value).toEqual(Uint8Array.of(1));
});

test('a limit of streams for each address leaves other addresses theirs', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], maxStreamsPerAddress: 1 });
  const from = (localAddress: string) =>
    connect(tunnelTo(relay, { WebSocket: pageWebSocket(undefined, { localAddress }) }), echo.port);
  const outcomes = [];
  for (const address of ['127.0.0.1', '127.0.0.1', '127.0.0.2']) {
    const { reader, writer } = await from(address);
    writer.write(Uint8Array.of(1)).catch(() => {});
    outcomes.push(
      await reader.read().then(
        () => 'served',
        error => error.code,
      ),
    );
  }
  expect(outcomes).toEqual(['served', 'ERR_TUNNEL_UNREACHABLE', 'served']);
});

test('new streams of a WebSocket have a rate, and other WebSockets their own', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], newStreamsPerSecond: 3 });
  const page = await TestPage.open(relay);
  await page.welcome();
  for (let stream = 1; stream <= 20; stream++) page.open(stream, echo.port);
  expect(await page.reset(20)).toMatchObject({ code: 3, reason: 'stream-rate' });
  await page.opened(6);
  expect(page.frames.filter(({ type }) => type === 'opened').length).toBeLessThanOrEqual(7);
  const other = await TestPage.open(relay);
  other.open(1, echo.port);
  await other.opened(1);
});

test('who guesses tokens is refused for a while, with the right one too; other addresses are not', async () => {
  const echo = await startEcho();
  const { relay, events } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], tokens: [TOKEN] });
  const codeFor = async (token: string, localAddress = '127.0.0.1') => {
    const WebSocket = pageWebSocket('http://page.test', { localAddress });
    const { reader, writer } = await connect(tunnelTo(relay, { token, WebSocket }), echo.port);
    writer.write(Uint8Array.of(1)).catch(() => {});
    return reader.read().then(
      () => 'served',
      error => error.code,
    );
  };
  for (let guess = 0; guess < 10; guess++)
    expect(await codeFor(`guess-${guess}-guess`)).toBe('ERR_TUNNEL_AUTH');
  expect(await codeFor(TOKEN)).toBe('ERR_TUNNEL_UNREACHABLE');
  expect(await codeFor(TOKEN, '127.0.0.2')).toBe('served');
  expect(events).toContainEqual(expect.objectContaining({ code: 4013, reason: 'attempts' }));
  await sleep(1100);
  expect(await codeFor(TOKEN)).toBe('served');
  expect(JSON.stringify(events)).not.toMatch(/guess-|a-token/);
});

test('pages without a token that is asked for are no guesses', async () => {
  const { relay } = await startRelay({ tokens: [TOKEN], allow: ['127.0.0.1:1'] });
  const codes: string[] = [];
  for (let count = 0; count < 12; count++) {
    const { reader } = await connect(tunnelTo(relay), 1);
    codes.push(await reader.read().catch(error => error.code));
  }
  expect(new Set(codes)).toEqual(new Set(['ERR_TUNNEL_AUTH']));
});

test('each open door is told at the start, and a relay without one says nothing', async () => {
  const warnings = async (options: RelayOptions) => {
    const { events } = await startRelay(options);
    return events.flatMap(event => (event.type === 'warning' ? event.message : []));
  };
  const closed = { origins: ['http://page.test'], allow: ['localhost:1'], tokens: [TOKEN] };
  expect(await warnings(closed)).toEqual([]);
  const doors: [RelayOptions, RegExp][] = [
    [{ ...closed, tokens: [] }, /^No token is asked for/],
    [{ ...closed, tokens: [], listen: '0.0.0.0:0' }, /^NO TOKEN IS ASKED FOR, and 0\.0\.0\.0/],
    [{ ...closed, listen: '[::]:0' }, /plain ws:/],
    [{ ...closed, allow: ['*:443'] }, /any host/],
    [{ ...closed, origins: ['*'] }, /every website/],
    [{ ...closed, trustedProxies: ['0.0.0.0/0'] }, /public addresses/],
  ];
  for (const [options, text] of doors) expect(await warnings(options)).toEqual([expect.stringMatching(text)]);
});

test('new streams of an address have a rate, whatever their WebSockets, and other addresses their own', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], newStreamsPerSecondPerAddress: 2 },
  });
  const pages = [await TestPage.open(relay), await TestPage.open(relay)];
  for (const page of pages) for (let stream = 1; stream <= 8; stream++) page.open(stream, echo.port);
  for (const page of pages)
    expect(await page.reset(8)).toMatchObject({ code: 3, reason: 'stream-rate-per-address' });
  const WebSocket = pageWebSocket(undefined, { localAddress: '127.0.0.2' });
  const { reader, writer } = await connect(tunnelTo(relay, { WebSocket }), echo.port);
  await writer.write(Uint8Array.of(1));
  expect((await reader.read()).value).toEqual(Uint8Array.of(1));
});

test('streams beyond a limit count for many frames: who asks for them without end waits', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], maxStreams: 1, framesPerSecond: 1000 },
  });
  const page = await TestPage.open(relay);
  await page.welcome();
  const startedAt = Date.now();
  for (let stream = 1; stream <= 100; stream++) page.open(stream, echo.port);
  await page.reset(100);
  // What was read together is answered together; what follows waits for a debt of three thousand frames.
  page.open(101, echo.port);
  await page.reset(101);
  expect(Date.now() - startedAt).toBeGreaterThan(2000);
});
