import { once } from 'node:events';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  encodeCredit,
  encodeData,
  encodeEnd,
  encodeHello,
  encodeOpen,
  encodePing,
  encodePong,
  encodeReset,
} from '../../src/tunnel/wire/frames.js';
import type { Relay } from '../src/index.js';
import {
  connect,
  dialRelay,
  sleep,
  startEcho,
  startRelay,
  startTarget,
  startUnanswering,
  tunnelTo,
  UPGRADE,
  until,
} from './support/harness.js';
import { HELLO, TestPage } from './support/test-page.js';

type Message = Uint8Array | string;

const hello = encodeHello(HELLO);
const open = (port: number, stream = 1) => encodeOpen({ stream, hostname: '127.0.0.1', port });

async function closeCodesAfter(relay: Relay, violations: Record<string, Message[]>) {
  const codes: Record<string, number> = {};
  for (const [name, messages] of Object.entries(violations)) {
    const page = await TestPage.openSilent(relay);
    const closed = page.closed();
    page.send(...messages);
    codes[name] = (await closed).code;
  }
  return codes;
}

const each = (violations: object, code: number) =>
  Object.fromEntries(Object.keys(violations).map(name => [name, code]));

test('each violation of the format in place of HELLO ends the connection without a close code', async () => {
  const { relay, events } = await startRelay({ allow: ['127.0.0.1:1'] });
  const violations: Record<string, Message[]> = {
    text: ['hello'],
    empty: [new Uint8Array()],
    'unknown type': [Uint8Array.of(12)],
    'OPEN before HELLO': [open(1)],
    'DATA before HELLO': [encodeData(1, Uint8Array.of(1))],
    'END before HELLO': [encodeEnd(1)],
    'CREDIT before HELLO': [encodeCredit(0, 1)],
    'PING before HELLO': [encodePing(1)],
    'cut HELLO': [hello.subarray(0, 9)],
    'HELLO with a long token': [encodeHello({ ...HELLO, token: 'x'.repeat(4097) })],
    'stream window too small': [encodeHello({ ...HELLO, streamWindowBytes: 65_535 })],
    'stream window too large': [encodeHello({ ...HELLO, streamWindowBytes: 2 ** 24 + 1 })],
    'socket window too small': [encodeHello({ ...HELLO, socketWindowBytes: 65_535 })],
    'socket window too large': [encodeHello({ ...HELLO, socketWindowBytes: 2 ** 26 + 1 })],
    'another version': [encodeHello({ ...HELLO, version: 1 })],
  };
  expect(await closeCodesAfter(relay, violations)).toEqual(each(violations, 1006));
  const closed = events.filter(event => event.type === 'closed');
  expect(closed.map(({ code }) => code)).toEqual(Object.keys(violations).map(() => 4001));
});

test('each violation of the format after HELLO ends the connection with 4001', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`] });
  const start = [hello, open(echo.port)];
  const byte = encodeData(1, Uint8Array.of(1));
  const violations: Record<string, Message[]> = {
    text: [...start, 'hello'],
    empty: [...start, new Uint8Array()],
    'unknown type': [...start, Uint8Array.of(12)],
    'second HELLO': [...start, hello],
    'WELCOME from a page': [...start, Uint8Array.of(2, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1)],
    'OPENED from a page': [...start, Uint8Array.of(4, 0, 0, 0, 1)],
    'GOAWAY from a page': [...start, Uint8Array.of(11)],
    'OPEN of the same stream': [...start, open(echo.port)],
    'OPEN of a smaller number': [hello, open(echo.port, 7), open(echo.port, 6)],
    'OPEN of stream 0': [hello, open(echo.port, 0)],
    'OPEN of port 0': [hello, open(0)],
    'OPEN without a name': [hello, open(echo.port).subarray(0, 7)],
    'OPEN of a name with a line feed': [hello, Uint8Array.of(...open(echo.port), 10)],
    'empty DATA': [...start, Uint8Array.of(5, 0, 0, 0, 1)],
    'DATA of a stream that was never opened': [...start, encodeData(2, Uint8Array.of(1))],
    'DATA of stream 0': [...start, encodeData(0, Uint8Array.of(1))],
    'DATA after END': [...start, encodeEnd(1), byte],
    'second END': [...start, encodeEnd(1), encodeEnd(1)],
    'END of a stream that was never opened': [...start, encodeEnd(2)],
    'RESET of a stream that was never opened': [...start, encodeReset({ stream: 2, code: 0, reason: '' })],
    'CREDIT of nothing': [...start, encodeCredit(1, 0)],
    'CREDIT of a stream that was never opened': [...start, encodeCredit(2, 1)],
    'CREDIT above a stream’s bound': [...start, encodeCredit(1, 2 ** 24)],
    'CREDIT above the socket’s bound': [...start, encodeCredit(0, 2 ** 26)],
    'cut CREDIT': [...start, encodeCredit(1, 1).subarray(0, 8)],
    'PING and more': [...start, Uint8Array.of(...encodePing(1), 0)],
    'PONG of a PING to come': [...start, encodePong(1000)],
    'RESET with a long reason': [...start, Uint8Array.of(8, 0, 0, 0, 1, 0, ...new Uint8Array(65))],
  };
  expect(await closeCodesAfter(relay, violations)).toEqual(each(violations, 4001));
});

test('a message larger than the format allows ends the connection with 1009', async () => {
  const { relay } = await startRelay({});
  const messages = [hello, encodeData(1, new Uint8Array(2 ** 18 + 1))];
  expect(await closeCodesAfter(relay, { large: messages })).toEqual({ large: 1009 });
});

test.each([
  ['its stream’s window', { windowBytes: 65_536 }, 1],
  ['the socket’s window', { windowBytes: 65_536, maxWindowBytes: 65_536 }, 3],
])(
  'a page that overruns %s is cut off, and the target does not get the rest',
  async (_name, windows, streams) => {
    const target = await startTarget(socket => socket.pause());
    const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`], ...windows });
    const page = await TestPage.open(relay);
    await page.welcome();
    for (let stream = 1; stream <= streams; stream++) page.open(stream, target.port);
    await page.opened(streams);
    const closed = page.closed();
    for (let sent = 0; sent < 1000; sent++) page.write(1 + (sent % streams), new Uint8Array(65_536));
    expect((await closed).code).toBe(4001);
  },
);

test('what a page sent for streams that have ended counts for its socket, and harms nobody', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], windowBytes: 65_536 });
  const page = await TestPage.open(relay);
  await page.welcome();
  page.open(1, echo.port);
  page.open(2, echo.port);
  page.send(encodeReset({ stream: 1, code: 0, reason: '' }));
  page.write(1, new Uint8Array(1_000_000));
  page.send(encodeCredit(1, 1), encodeCredit(1, 2 ** 30), encodeReset({ stream: 1, code: 9, reason: 'x' }));
  page.end(1);
  page.end(1);
  page.write(2, 'still here');
  await until(() => page.received(2).toString() === 'still here');
  for (let round = 0; round < 64; round++) page.write(1, new Uint8Array(262_144), 262_144);
  await until(() => page.frames.some(frame => frame.type === 'credit' && frame.stream === 0));
});

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const number = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.constantFrom(65_536, 2 ** 24, 2 ** 31, 2 ** 32 - 1),
);
const text = fc.string({ maxLength: 20 });

/** Messages of a page: most of them well-formed, and some of them in order. */
function anyMessage(port: number): fc.Arbitrary<Message> {
  const ports = fc.constantFrom(port, 1);
  const wellFormed = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(number, ports).map(([stream, to]) => open(to, stream)) },
    {
      weight: 4,
      arbitrary: fc.tuple(number, bytes(3000)).map(([stream, payload]) => encodeData(stream, payload)),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(number, number).map(([stream, credit]) => encodeCredit(stream, credit)),
    },
    number.map(encodeEnd),
    fc.tuple(number, number, text).map(([stream, code, reason]) => encodeReset({ stream, code, reason })),
    number.map(encodePing),
    number.map(encodePong),
    fc.constant(hello),
  );
  const bent = fc.tuple(wellFormed, fc.nat(), fc.nat(255)).map(([message, at, byte]) => {
    const copy = Uint8Array.from(message);
    if (copy.length > 0) copy[at % copy.length] = byte;
    return copy;
  });
  return fc.oneof({ weight: 12, arbitrary: wellFormed }, bent, bytes(300), fc.constant('text'));
}

test('random messages, cuts and vanishing pages do not stop it', { timeout: 60_000 }, async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({
    ...{ allow: ['127.0.0.1:*'], maxConnectionsPerAddress: 1000, maxUnprovenPerAddress: 1000 },
    ...{ newConnectionsPerSecond: 0, framesPerSecondPerAddress: 0 },
  });
  const visit = async (messages: Message[], says: boolean, vanishes: boolean) => {
    const page = await TestPage.openSilent(relay, { answersPing: says });
    if (says) page.send(hello, open(echo.port));
    page.send(...messages);
    if (vanishes) page.webSocket.terminate();
    else page.webSocket.close();
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.array(anyMessage(echo.port), { maxLength: 20 }), fc.boolean(), fc.boolean()), {
        minLength: 5,
        maxLength: 5,
      }),
      async visits => {
        await Promise.all(visits.map(([messages, says, vanishes]) => visit(messages, says, vanishes)));
      },
    ),
    { numRuns: 80 },
  );
  await until(() => relay.connections === 0);
  expect(relay.streams).toBe(0);
  await until(() => echo.sockets.every(socket => socket.destroyed));

  const { reader, writer } = await connect(tunnelTo(relay), echo.port);
  await writer.write(Uint8Array.of(1, 2, 3));
  expect((await reader.read()).value).toEqual(Uint8Array.of(1, 2, 3));
});

test('random bytes below the WebSocket, before and after the upgrade, do not stop it', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], newConnectionsPerSecond: 0, maxUnprovenPerAddress: 1000 },
  });
  const visit = async (garbage: Uint8Array, cut: number, resets: boolean) => {
    const socket = await dialRelay(relay);
    socket.write(Buffer.concat([Buffer.from(UPGRADE.slice(0, cut)), garbage]));
    if (resets) socket.resetAndDestroy();
    else socket.end();
  };
  const cut = fc.oneof(fc.constantFrom(0, UPGRADE.length), fc.nat(UPGRADE.length));
  await fc.assert(fc.asyncProperty(bytes(2000), cut, fc.boolean(), visit), { numRuns: 150 });

  const { reader, writer } = await connect(tunnelTo(relay), echo.port);
  await writer.write(Uint8Array.of(1));
  expect((await reader.read()).value).toHaveLength(1);
});

test('PING is answered, while the target is connected to as well, and a flood of them harms nobody', async () => {
  const echo = await startEcho();
  const slow = await startUnanswering();
  const { relay } = await startRelay({
    allow: ['127.0.0.1:*'],
    framesPerSecond: 0,
    framesPerSecondPerAddress: 0,
  });
  for (const port of [echo.port, slow]) {
    const page = await TestPage.open(relay);
    page.open(1, port);
    page.send(encodePing(7));
    await until(() => page.frame('pong')?.nonce === 7);
    for (let count = 1; count <= 3000; count++) page.send(encodePing(count));
    // Of several that wait for an answer only the newest gets one.
    await until(() => page.frames.some(frame => frame.type === 'pong' && frame.nonce === 3000));
    expect(page.frame('opened') !== undefined).toBe(port === echo.port);
    page.webSocket.close();
    await once(page.webSocket, 'close');
  }
});

test('a page that sends and takes no answers is not read any more', { timeout: 60_000 }, async () => {
  const { relay } = await startRelay({ framesPerSecond: 0, framesPerSecondPerAddress: 0 });
  const page = await TestPage.open(relay);
  await page.welcome();
  const { webSocket } = page;
  webSocket.pause();
  const hasLeft = async () => {
    for (let count = 0; count < 200 && webSocket.bufferedAmount > 0; count++) await sleep(10);
    return webSocket.bufferedAmount === 0;
  };
  // Each is answered by as many bytes. What lies between page and relay takes some megabytes of them.
  let sentBytes = 0;
  do {
    for (let count = 0; count < 5000; count++) webSocket.ping(Buffer.alloc(125));
    sentBytes += 5000 * 125;
    expect(sentBytes).toBeLessThan(30_000_000);
  } while (await hasLeft());
  webSocket.resume();
  expect(await hasLeft()).toBe(true);
});
