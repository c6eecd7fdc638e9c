import { createHash } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import { encodeOpen, encodePong, encodeReset } from '../../src/tunnel/wire/frames.js';
import { sleep, startEcho, startRelay, startTarget, until } from './support/harness.js';
import { startSessions } from './support/session.js';
import { TestPage } from './support/test-page.js';

const fakeTimers = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
afterEach(() => {
  vi.useRealTimers();
});

/** Bytes that differ from stream to stream, and from place to place. */
function pattern(stream: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4)
    bytes.writeUInt32LE(Math.imul(at + stream, 2654435761) >>> 0, at);
  return bytes;
}

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

test('WELCOME tells the windows and the streams that the options say', async () => {
  const { relay } = await startRelay({ maxStreams: 7, windowBytes: 100_000, maxWindowBytes: 1_000_000 });
  const page = await TestPage.open(relay);
  expect(await page.welcome()).toEqual({
    type: 'welcome',
    socketWindowBytes: 1_000_000,
    streamWindowBytes: 100_000,
    maxStreams: 7,
  });
});

test('two hundred streams on one WebSocket, to two targets, do not mix', { timeout: 60_000 }, async () => {
  const echoes = [await startEcho(), await startEcho()];
  const { relay, events } = await startRelay({
    ...{ allow: ['127.0.0.1:*'], windowBytes: 65_536, newStreamsPerSecond: 0 },
    ...{ framesPerSecond: 0, framesPerSecondPerAddress: 0 },
  });
  const page = await TestPage.open(relay);
  await page.welcome();
  const streams = Array.from({ length: 200 }, (_, index) => 3 * index + 1);
  for (const stream of streams) {
    page.open(stream, echoes[stream % 2]?.port ?? 0);
    page.write(stream, pattern(stream, 60_000), 7001);
  }
  const isComplete = () => streams.every(stream => page.receivedBytes(stream) === 60_000);
  for (let count = 0; count < 50 && !isComplete(); count++) await sleep(200);
  for (const stream of streams) {
    expect(digest(page.received(stream))).toBe(digest(pattern(stream, 60_000)));
    page.end(stream);
  }
  await until(() => relay.streams === 0);
  expect(relay.connections).toBe(1);
  const ends = events.filter(event => event.type === 'stream-closed');
  expect(new Set(ends.map(({ code }) => code))).toEqual(new Set([undefined]));
});

test('the 300th stream is refused, the others go on, and there is room again when one has ended', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], maxStreams: 299, newStreamsPerSecond: 0 },
  });
  const page = await TestPage.open(relay);
  await page.welcome();
  for (let stream = 1; stream <= 300; stream++) page.open(stream, echo.port);
  expect(await page.reset(300)).toMatchObject({ code: 3, reason: 'streams' });
  await page.opened(299);
  expect(page.frames.filter(({ type }) => type === 'reset')).toHaveLength(1);
  page.send(encodeReset({ stream: 5, code: 0, reason: '' }));
  page.open(301, echo.port);
  page.write(301, 'room');
  await until(() => page.received(301).toString() === 'room');
});

test('a stalled stream, and a target that cannot be reached, hold up no other stream', async () => {
  const stuck = await startTarget(socket => socket.pause());
  const echo = await startEcho();
  const { relay } = await startRelay({
    allow: ['127.0.0.1:*'],
    windowBytes: 65_536,
    maxWindowBytes: 131_072,
  });
  const page = await TestPage.open(relay);
  const { streamWindowBytes } = await page.welcome();
  page.open(1, stuck.port);
  page.open(2, 1);
  page.open(3, echo.port);
  await page.opened(1);
  // As long as TCP takes it the relay grants more; then a whole window is stuck.
  for (let granted = streamWindowBytes; granted > 0; ) {
    page.write(1, new Uint8Array(granted));
    const before = page.frames.length;
    await sleep(100);
    granted = page.frames
      .slice(before)
      .reduce((sum, frame) => sum + (frame.type === 'credit' && frame.stream === 1 ? frame.bytes : 0), 0);
  }
  expect(await page.reset(2)).toMatchObject({ code: 2, reason: 'refused' });
  // Much more than the socket's window.
  const total = 600_000;
  for (let sent = 0; sent < total; sent += 60_000) {
    page.write(3, pattern(3, 60_000));
    await until(() => page.receivedBytes(3) === sent + 60_000);
  }
  stuck.sockets[0]?.resume();
  await until(() => page.frames.some(frame => frame.type === 'credit' && frame.stream === 1));
});

test('a page that reads one stream and not the other gets all of the one', async () => {
  const flood = await startTarget(socket => {
    socket.write(pattern(0, 40_000_000));
  });
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: ['127.0.0.1:*'] });
  const page = await TestPage.open(relay, { hello: { streamWindowBytes: 65_536 }, grantsStreams: false });
  page.open(1, flood.port);
  page.open(2, echo.port);
  await until(() => page.receivedBytes(1) > 50_000);
  page.write(2, 'through');
  await until(() => page.received(2).toString() === 'through');
  await sleep(100);
  expect(page.receivedBytes(1)).toBeLessThanOrEqual(65_536);
});

test('numbers may leave gaps, and what lies in a gap has ended', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`] });
  const page = await TestPage.open(relay);
  page.send(encodeOpen({ stream: 2 ** 32 - 2, hostname: '127.0.0.1', port: echo.port }));
  page.write(5, 'ignored');
  page.write(2 ** 32 - 2, 'heard');
  await until(() => page.received(2 ** 32 - 2).toString() === 'heard');
});

test('a WebSocket without streams is closed after the idle timeout, whatever it pings', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], idleTimeoutMs: 300 });
  const page = await TestPage.open(relay);
  page.open(1, echo.port);
  for (let count = 0; count < 5; count++) {
    await sleep(100);
    page.write(1, 'x');
  }
  page.end(1);
  await page.ended(1);
  const startedAt = performance.now();
  expect(await page.closed()).toEqual({ code: 4030, reason: '' });
  expect(performance.now() - startedAt).toBeGreaterThan(200);
});

test('an idle stream is reset, and its WebSocket goes on for the busy one', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], idleTimeoutMs: 300 });
  const page = await TestPage.open(relay);
  page.open(1, echo.port);
  page.open(2, echo.port);
  for (let count = 0; count < 6; count++) {
    page.write(2, 'x');
    await sleep(100);
  }
  expect(page.frame('reset', 1)).toMatchObject({ code: 5 });
  expect(page.frame('reset', 2)).toBeUndefined();
  expect(page.receivedBytes(2)).toBe(6);
});

test('a WebSocket of the greatest age is told, and closed when its streams have ended', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], maxSocketAgeMs: 100 });
  const page = await TestPage.open(relay);
  page.open(1, echo.port);
  await until(() => page.frame('goaway') !== undefined);
  page.write(1, 'still');
  await until(() => page.received(1).toString() === 'still');
  page.end(1);
  expect((await page.closed()).code).toBe(4031);
});

test('a stream that crosses GOAWAY goes on', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], maxSocketAgeMs: 100 });
  const page = await TestPage.open(relay, { answersPing: false });
  await until(() => page.frame('goaway') !== undefined);
  await sleep(50);
  // No stream is open: only the page's answer shows that none is on its way.
  page.open(1, echo.port);
  page.write(1, 'crossed');
  await until(() => page.received(1).toString() === 'crossed');
  page.send(encodePong(2));
  page.end(1);
  expect((await page.closed()).code).toBe(4031);
});

test('a WebSocket that has been told is closed after five minutes, with the streams that are left', async () => {
  const echo = await startEcho();
  const { url, sessions } = await startSessions({ allow: [`127.0.0.1:${echo.port}`], idleTimeoutMs: 0 });
  const page = await TestPage.open({ url });
  page.open(1, echo.port);
  await page.opened(1);
  fakeTimers();
  const closed = page.closed();
  sessions[0]?.goAway();
  vi.advanceTimersByTime(299_999);
  page.write(1, 'x');
  while (page.receivedBytes(1) === 0) await new Promise(resolve => setImmediate(resolve));
  vi.advanceTimersByTime(1);
  expect((await closed).code).toBe(4031);
});

test('a page that vanishes leaves neither memory nor a connection behind', async () => {
  const flood = await startTarget(socket => {
    socket.write(pattern(0, 5_000_000));
  });
  const stuck = await startTarget(socket => socket.pause());
  const { url, resources, sessions } = await startSessions({ allow: ['127.0.0.1:*'] });
  for (let visit = 0; visit < 5; visit++) {
    const page = await TestPage.open({ url });
    await page.welcome();
    page.open(1, flood.port);
    page.open(2, stuck.port);
    for (let count = 0; count < 4; count++) page.write(2, new Uint8Array(65_536));
    await until(() => page.receivedBytes(1) > 100_000);
    page.webSocket.pause();
    await sleep(30);
    page.webSocket.terminate();
    await until(() => sessions.every(({ streams }) => streams === 0));
  }
  await until(() => resources.memory.heldBytes === 0);
  const targets = [...flood.sockets, ...stuck.sockets];
  // A socket that is not read does not notice its end, and Node then takes a reset behind unread bytes for an end.
  for (const socket of targets) socket.resume();
  await until(() => targets.every(({ destroyed, readableEnded }) => destroyed || readableEnded));
});

test('behind a page that does not read, targets are not read either', async () => {
  const endless = await startTarget(socket => {
    const more = () => {
      while (!socket.destroyed && socket.write(new Uint8Array(65_536)));
    };
    socket.on('drain', more).resume();
    more();
  });
  const { url, resources, sessions } = await startSessions({ allow: [`127.0.0.1:${endless.port}`] });
  const page = await TestPage.open({ url });
  await page.welcome();
  page.webSocket.pause();
  page.open(1, endless.port);
  const { memory } = resources;
  // What the kernel takes for the page comes first.
  await until(() => (sessions[0]?.heldBytes ?? 0) > 500_000);
  for (let stream = 2; stream <= 60; stream++) page.open(stream, endless.port);
  await until(() => endless.sockets.length === 60);
  await sleep(300);
  expect(memory.heldBytes).toBeLessThan(2_000_000);
  page.webSocket.resume();
  await until(() =>
    Array.from({ length: 60 }, (_, index) => page.receivedBytes(index + 1)).every(bytes => bytes > 0),
  );
});

test('without memory no stream is opened and no credit given, until there is some again', async () => {
  const echo = await startEcho();
  const { url, resources } = await startSessions({
    ...{ allow: [`127.0.0.1:${echo.port}`], maxBufferedBytes: 1_048_576, windowBytes: 65_536 },
  });
  const page = await TestPage.open({ url });
  await page.welcome();
  page.open(1, echo.port);
  await page.opened(1);
  const { memory } = resources;
  // Another address's bytes do not count, whatever their number.
  memory.page('192.0.2.1').hold(10_485_760);
  page.open(2, echo.port);
  await page.opened(2);
  const sameAddress = memory.page('127.0.0.1');
  sameAddress.hold(10_485_760);
  page.open(3, echo.port);
  expect(await page.reset(3)).toMatchObject({ code: 3, reason: 'memory' });
  page.write(1, new Uint8Array(65_536));
  await until(() => page.receivedBytes(1) === 65_536);
  await sleep(50);
  expect(page.frame('credit', 1)).toBeUndefined();
  sameAddress.release(10_485_760);
  await until(() => page.frame('credit', 1) !== undefined);
  expect(page.frame('credit', 1)).toMatchObject({ bytes: 65_536 });
});
