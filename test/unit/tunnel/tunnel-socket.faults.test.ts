import { expect, test } from 'vitest';
import {
  encodeCredit,
  encodeData,
  encodeEnd,
  encodeHello,
  encodeOpen,
  encodeOpened,
  encodePong,
  encodeReset,
  encodeWelcome,
} from '../../../src/tunnel/wire/frames.js';
import { ADDRESS, openStream, openTunnel, startScriptedRelay, WELCOME } from './support/scripted-relay.js';

const welcome = encodeWelcome(WELCOME);
const opened = encodeOpened(1);
const byte = Uint8Array.of(1);

const faults: [string, (Uint8Array | string)[]][] = [
  ['text', [welcome, 'text']],
  ['an unknown type', [Uint8Array.of(99)]],
  ['a second WELCOME', [welcome, welcome]],
  ['a window too small', [encodeWelcome({ ...WELCOME, streamWindowBytes: 1 })]],
  [
    'HELLO',
    [welcome, encodeHello({ version: 2, socketWindowBytes: 65_536, streamWindowBytes: 65_536, token: '' })],
  ],
  ['OPEN', [welcome, encodeOpen({ stream: 1, ...ADDRESS })]],
  ['OPENED before WELCOME', [opened]],
  ['CREDIT of the socket before WELCOME', [encodeCredit(0, 1)]],
  ['a second OPENED', [welcome, opened, opened]],
  ['DATA before OPENED', [welcome, encodeData(1, byte)]],
  ['CREDIT before OPENED', [welcome, encodeCredit(1, 1)]],
  ['END before OPENED', [welcome, encodeEnd(1)]],
  ['DATA after END', [welcome, opened, encodeEnd(1), encodeData(1, byte)]],
  ['a second END', [welcome, opened, encodeEnd(1), encodeEnd(1)]],
  ['OPENED of a stream that was never opened', [welcome, encodeOpened(2)]],
  ['DATA of a stream that was never opened', [welcome, encodeData(2, byte)]],
  ['CREDIT of a stream that was never opened', [welcome, encodeCredit(2, 1)]],
  ['END of a stream that was never opened', [welcome, encodeEnd(2)]],
  ['RESET of a stream that was never opened', [welcome, encodeReset({ stream: 2, code: 1, reason: '' })]],
  ["CREDIT beyond a stream's bound", [welcome, opened, encodeCredit(1, 16 * 1024 * 1024)]],
  ["CREDIT beyond the socket's bound", [welcome, encodeCredit(0, 64 * 1024 * 1024)]],
  [
    'more DATA than the stream may',
    [welcome, opened, encodeData(1, new Uint8Array(65_536)), encodeData(1, byte)],
  ],
];

test.each(faults)('%s is a fault of the relay, and ends the socket', async (name, messages) => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'open') page.send(...messages);
  });
  const tunnel = openTunnel(url, { windowBytes: 65_536, maxWindowBytes: 65_536 });
  const { writer, reader } = await openStream(tunnel);
  const fault = { code: 'ERR_TUNNEL_PROTOCOL' };
  await expect(writer.closed).rejects.toMatchObject(fault);
  // An end that came before is one.
  if (!name.includes('after END') && !name.includes('second END')) {
    const drain = async () => {
      while (!(await reader.read()).done);
    };
    await expect(drain()).rejects.toMatchObject(fault);
  }
  await expect.poll(() => page().closeCode).toBe(4001);
});

test('more DATA than all streams may is a fault, though none has more than its own window', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type !== 'open') return;
    page.send(encodeOpened(frame.stream));
    // Less than what brings credit for the socket, and then more than its window has left.
    if (frame.stream === 2)
      page.send(
        encodeData(1, new Uint8Array(8_191)),
        ...Array(2).fill(encodeData(2, new Uint8Array(30_000))),
      );
  });
  const tunnel = openTunnel(url, { socketWindowBytes: 65_536 });
  const streams = await Promise.all([openStream(tunnel), openStream(tunnel)]);
  await expect.poll(() => page().of('credit').length).toBeGreaterThan(0);
  page().send(encodeData(1, new Uint8Array(70_000)));
  for (const { writer } of streams)
    await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_TUNNEL_PROTOCOL' });
  await expect.poll(() => page().closeCode).toBe(4001);
});

test('a stream that has ended may still be spoken of; its bytes count for the socket', async () => {
  const late = [
    encodeOpened(1),
    encodeData(1, new Uint8Array(40_000)),
    encodeCredit(1, 1),
    encodeEnd(1),
    encodeReset({ stream: 1, code: 4, reason: '' }),
  ];
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type === 'reset') page.send(...late, encodePong(77));
  });
  const tunnel = openTunnel(url, { socketWindowBytes: 65_536 });
  const { reader } = await openStream(tunnel);
  await reader.cancel();
  await expect.poll(() => page().of('credit')).toEqual([{ type: 'credit', stream: 0, bytes: 40_000 }]);
  const next = await openStream(tunnel);
  page().send(encodeOpened(2), encodeData(2, byte));
  expect((await next.reader.read()).value).toEqual(byte);
});

test('a PING is answered with its number', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.send(Uint8Array.of(9, 0, 0, 1, 2));
  });
  await openStream(openTunnel(url));
  await expect.poll(() => page().of('pong')).toEqual([{ type: 'pong', nonce: 258 }]);
});
