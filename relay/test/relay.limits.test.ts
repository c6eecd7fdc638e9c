import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { encodeData, encodeHello } from '../../src/tunnel/frames.js';
import type { Relay } from '../src/index.js';
import {
  clientFrame,
  connect,
  type RawPage,
  startEcho,
  startRelay,
  tunnelTo,
  until,
  upgradeRaw,
} from './support/harness.js';

const HELLO = { version: 1, windowBytes: 65536, hostname: '127.0.0.1', port: 1, token: '' };
const TOKEN = 'secret-secret-secret';
const helloTo = (port: number, token = '') => encodeHello({ ...HELLO, port, token });
/** Two bytes of WebSocket and five of ACCEPT. */
const ACCEPT_FRAME_BYTES = 7;

/** The close codes in what a relay sent; its frames are short. */
function closeCodes(received: Buffer): number[] {
  const codes: number[] = [];
  for (let at = 0; at + 1 < received.length; at += 2 + (received[at + 1] ?? 0)) {
    if (received[at] === 0x88) codes.push(received.readUInt16BE(at + 2));
  }
  return codes;
}

/** A message in so many fragments of one byte, the first of which is `first`. */
function fragments(count: number, first: number): Buffer {
  const one = (index: number) =>
    clientFrame(index === 0 ? 'binary' : 'continuation', Uint8Array.of(index === 0 ? first : 1), {
      final: index === count - 1,
    });
  return Buffer.concat(Array.from({ length: count }, (_, index) => one(index)));
}

async function openPage(relay: Relay, port: number): Promise<RawPage> {
  const page = await upgradeRaw(relay);
  page.socket.write(clientFrame('binary', helloTo(port)));
  await page.receives(received => received.length === ACCEPT_FRAME_BYTES);
  return page;
}

/** With an error or without. */
const closed = ({ socket }: RawPage) => new Promise(resolve => socket.once('close', resolve));

const refusal = (page: RawPage) =>
  page.receives(received => closeCodes(received).length > 0).then(closeCodes);

/** Fakes the timers of the relay, which runs in this process; what goes over sockets stays real. */
const fakeTimers = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
afterEach(() => {
  vi.useRealTimers();
});

test('a message may have 64 fragments, and one more ends the connection with 1008', async () => {
  const echo = await startEcho();
  const { relay, events } = await startRelay({ allow: [`127.0.0.1:${echo.port}`] });
  const page = await openPage(relay, echo.port);
  page.socket.write(fragments(64, 3));
  await page.receives(received => received.includes(Buffer.alloc(63, 1)));
  page.socket.write(fragments(65, 3));
  expect(await refusal(page)).toEqual([1008]);
  expect(events).toContainEqual({ type: 'error', connection: 1, message: 'Too many message fragments' });
});

test('a frame that comes in more than 1024 pieces ends the connection with 1008', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`] });
  const page = await openPage(relay, echo.port);
  const codes = refusal(page);
  let ended = false;
  void codes.then(() => {
    ended = true;
  });
  const frame = clientFrame('binary', encodeData(new Uint8Array(5000)));
  // In a turn of its own each byte is a piece of its own.
  for (let sent = 0; sent < 3000 && !ended; sent++) {
    page.socket.write(frame.subarray(sent, sent + 1));
    await turn();
  }
  expect(await codes).toEqual([1008]);
});

const noHello: [string, Uint8Array][] = [
  ['a text message', clientFrame('text', Buffer.from('hello'))],
  ['another message', clientFrame('binary', encodeData(Uint8Array.of(1)))],
  ['HELLO in too many fragments', fragments(65, 1)],
  ['a message that is too large', clientFrame('binary', new Uint8Array(65_538))],
  ['a continuation of nothing', clientFrame('continuation', Uint8Array.of(1))],
  ['an unmasked frame', Uint8Array.of(0x82, 1, 1)],
  ['a compressed frame', Uint8Array.of(0xc2, 0x81, 0, 0, 0, 0, 1)],
  ['an unknown opcode', Uint8Array.of(0x83, 0x81, 0, 0, 0, 0, 1)],
];

test.each(noHello)('%s in place of HELLO ends the TCP connection at once', async (_name, bytes) => {
  const { relay } = await startRelay({});
  fakeTimers();
  const page = await upgradeRaw(relay);
  page.socket.write(bytes);
  // No timer fires, and the page answers no close.
  await closed(page);
});

test('HELLO is heard until three seconds after the upgrade', async () => {
  const { relay } = await startRelay({ tokens: [TOKEN] });
  fakeTimers();
  const page = await upgradeRaw(relay);
  vi.advanceTimersByTime(2999);
  page.socket.write(clientFrame('binary', helloTo(1)));
  expect(await refusal(page)).toEqual([4011]);
});

const refusals: [string, number, { origin?: string; says?: Uint8Array; waitMs?: number }][] = [
  ['another origin', 4010, { origin: 'http://evil.test' }],
  ['no token', 4011, { says: helloTo(1) }],
  ['a target that is not allowed', 4012, { says: helloTo(1, TOKEN) }],
  ['no HELLO in three seconds', 4002, { waitMs: 3000 }],
];

test.each(refusals)(
  'a page with %s has a second to take the code',
  async (_name, code, { origin, says, waitMs }) => {
    const { relay } = await startRelay({ tokens: [TOKEN] });
    fakeTimers();
    const page = await upgradeRaw(relay, origin ? { origin } : {});
    const gone = closed(page);
    if (says) page.socket.write(clientFrame('binary', says));
    if (waitMs) vi.advanceTimersByTime(waitMs);
    expect(await refusal(page)).toEqual([code]);
    expect(page.socket.closed).toBe(false);
    vi.advanceTimersByTime(1000);
    await gone;
  },
);

const failures: [string, () => unknown][] = [
  [
    'throws',
    () => {
      throw new Error('callback');
    },
  ],
  ['rejects', () => Promise.reject(new Error('callback'))],
  [
    'rejects later',
    async () => {
      await turn();
      throw new Error('callback');
    },
  ],
];

test.each(failures)(
  'a log and an observer that %s harm neither the connection nor the process',
  async (_name, fail) => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    onTestFinished(() => {
      process.off('unhandledRejection', unhandled);
    });
    const echo = await startEcho();
    const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], log: fail, observeBytes: fail });
    const { reader, writer } = await connect(tunnelTo(relay), echo.port);
    await writer.write(Uint8Array.of(1));
    expect((await reader.read()).value).toHaveLength(1);
    await writer.close();
    await until(() => relay.connections === 0);
    expect(unhandled).not.toHaveBeenCalled();
  },
);

test('the log takes 256 characters from a client, and no control characters', async () => {
  const { relay, events } = await startRelay({ origins: ['*'], allow: ['localhost:1'] });
  const page = await upgradeRaw(relay, { origin: `http://\u009b31m${'o'.repeat(5000)}` });
  page.socket.write(
    clientFrame('binary', encodeHello({ ...HELLO, hostname: `\n${'h'.repeat(254)}`, port: 65535 })),
  );
  expect(await refusal(page)).toEqual([4012]);
  const told = () => events.filter(({ type }) => type === 'opened' || type === 'closed');
  await until(() => told().length === 2);
  expect(told()).toMatchObject([
    { origin: `http://?31m${'o'.repeat(245)}` },
    { denied: `?${'h'.repeat(254)}:` },
  ]);
});

test('the log takes 256 characters of a target', async () => {
  const { relay, events } = await startRelay({ allow: ['*.invalid:*'] });
  const hostname = `${'a.'.repeat(122)}a.invalid`;
  const page = await upgradeRaw(relay);
  page.socket.write(clientFrame('binary', encodeHello({ ...HELLO, hostname, port: 65535 })));
  expect(await refusal(page)).toEqual([4020]);
  expect(events.at(-1)).toMatchObject({ target: `${hostname}:65` });
});
