import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import {
  encodeData,
  encodeHello,
  encodeOpen,
  encodeOpened,
  encodeReset,
} from '../../src/tunnel/wire/frames.js';
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
import { HELLO } from './support/test-page.js';

const TOKEN = 'secret-secret-secret';
const hello = (token = '') => encodeHello({ ...HELLO, token });
const openTo = (port: number, hostname = '127.0.0.1') => encodeOpen({ stream: 1, hostname, port });

/** The close codes in what a relay sent; its frames are short. */
function closeCodes(received: Buffer): number[] {
  const codes: number[] = [];
  for (let at = 0; at + 1 < received.length; at += 2 + (received[at + 1] ?? 0)) {
    if (received[at] === 0x88) codes.push(received.readUInt16BE(at + 2));
  }
  return codes;
}

/** A message in fragments of one byte. */
function fragments(message: Uint8Array): Buffer {
  const one = (byte: number, index: number) =>
    clientFrame(index === 0 ? 'binary' : 'continuation', Uint8Array.of(byte), {
      final: index === message.length - 1,
    });
  return Buffer.concat(Array.from(message, one));
}

async function openPage(relay: Relay, port: number): Promise<RawPage> {
  const page = await upgradeRaw(relay);
  page.socket.write(clientFrame('binary', hello()));
  page.socket.write(clientFrame('binary', openTo(port)));
  await page.receives(received => received.includes(Buffer.from(encodeOpened(1))));
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

test('a message may have 1024 fragments, and one more ends the connection with 1008', async () => {
  const echo = await startEcho();
  const { relay, events } = await startRelay({ allow: [`127.0.0.1:${echo.port}`] });
  const page = await openPage(relay, echo.port);
  const data = encodeData(1, new Uint8Array(1019).fill(1));
  page.socket.write(fragments(data));
  await page.receives(received => received.includes(Buffer.alloc(1019, 1)));
  page.socket.write(fragments(Uint8Array.of(...data, 1)));
  expect(await refusal(page)).toEqual([1008]);
  expect(events).toContainEqual({ type: 'error', connection: 1, message: 'Too many message fragments' });
});

test('a frame that comes in more than 8192 pieces ends the connection with 1008', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`] });
  const page = await openPage(relay, echo.port);
  const codes = refusal(page);
  let ended = false;
  void codes.then(() => {
    ended = true;
  });
  const frame = clientFrame('binary', encodeData(1, new Uint8Array(20_000)));
  // In a turn of its own each byte is a piece of its own.
  for (let sent = 0; sent < 15_000 && !ended; sent++) {
    page.socket.write(frame.subarray(sent, sent + 1));
    await turn();
  }
  expect(await codes).toEqual([1008]);
});

const noHello: [string, Uint8Array][] = [
  ['a text message', clientFrame('text', Buffer.from('hello'))],
  ['another message', clientFrame('binary', encodeData(1, Uint8Array.of(1)))],
  ['HELLO in too many fragments', fragments(new Uint8Array(1025).fill(1))],
  ['a message that is too large', Uint8Array.of(0x82, 0xff, 0, 0, 0, 0, 0, 4, 0, 6, 0, 0, 0, 0)],
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
  page.socket.write(clientFrame('binary', hello()));
  expect(await refusal(page)).toEqual([4011]);
});

const refusals: [string, number, { origin?: string; says?: Uint8Array; waitMs?: number }][] = [
  ['another origin', 4010, { origin: 'http://evil.test' }],
  ['no token', 4011, { says: hello() }],
  ['another token', 4011, { says: hello(`${TOKEN}-`) }],
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
    await until(() => relay.streams === 0);
    expect(unhandled).not.toHaveBeenCalled();
  },
);

test('the log takes 256 characters from a client, and no control characters', async () => {
  const { relay, events } = await startRelay({ origins: ['*'], allow: ['localhost:1'] });
  const page = await upgradeRaw(relay, { origin: `http://\u009b31m${'o'.repeat(5000)}` });
  page.socket.write(clientFrame('binary', hello()));
  page.socket.write(clientFrame('binary', openTo(65535, `~${'h'.repeat(254)}`)));
  await page.receives(received =>
    received.includes(Buffer.from(encodeReset({ stream: 1, code: 1, reason: '' }))),
  );
  expect(events).toContainEqual(expect.objectContaining({ origin: `http://?31m${'o'.repeat(245)}` }));
  expect(events).toContainEqual(expect.objectContaining({ denied: `~${'h'.repeat(254)}:` }));
});

test('the log takes 256 characters of a target', async () => {
  const { relay, events } = await startRelay({ allow: ['*.invalid:*'] });
  const hostname = `${'a.'.repeat(122)}a.invalid`;
  const page = await upgradeRaw(relay);
  page.socket.write(clientFrame('binary', hello()));
  page.socket.write(clientFrame('binary', openTo(65535, hostname)));
  await until(() => events.some(({ type }) => type === 'stream-closed'));
  expect(events.at(-1)).toMatchObject({ target: `${hostname}:65`, code: 2, reason: 'dns' });
});
