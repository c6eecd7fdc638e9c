import { expect, test } from 'vitest';
import {
  decodeFrame,
  encodeCredit,
  encodeData,
  encodeEnd,
  encodeGoAway,
  encodeHello,
  encodeOpen,
  encodeOpened,
  encodePing,
  encodePong,
  encodeReset,
  encodeWelcome,
  type Frame,
} from '../../../src/tunnel/wire/frames.js';

const MIB = 1024 * 1024;
const hello = { version: 2, socketWindowBytes: 16 * MIB, streamWindowBytes: MIB, token: 'T' };
const welcome = { socketWindowBytes: 65_536, streamWindowBytes: 65_536, maxStreams: 256 };

const messages: [string, Uint8Array, Frame][] = [
  ['01 02 01000000 00100000 54', encodeHello(hello), { type: 'hello', ...hello }],
  ['02 00010000 00010000 0100', encodeWelcome(welcome), { type: 'welcome', ...welcome }],
  [
    '03 00000001 01bb 612e62',
    encodeOpen({ stream: 1, hostname: 'a.b', port: 443 }),
    { type: 'open', stream: 1, hostname: 'a.b', port: 443 },
  ],
  ['04 00000001', encodeOpened(1), { type: 'opened', stream: 1 }],
  [
    '05 ffffffff 0708',
    encodeData(2 ** 32 - 1, Uint8Array.of(7, 8)),
    { type: 'data', stream: 2 ** 32 - 1, payload: Uint8Array.of(7, 8) },
  ],
  ['06 00000000 00000102', encodeCredit(0, 258), { type: 'credit', stream: 0, bytes: 258 }],
  ['07 00000102', encodeEnd(258), { type: 'end', stream: 258 }],
  [
    '08 00000001 02 646e73',
    encodeReset({ stream: 1, code: 2, reason: 'dns' }),
    { type: 'reset', stream: 1, code: 2, reason: 'dns' },
  ],
  ['09 00000003', encodePing(3), { type: 'ping', nonce: 3 }],
  ['0a 00000003', encodePong(3), { type: 'pong', nonce: 3 }],
  ['0b', encodeGoAway(), { type: 'goaway' }],
];

test.each(messages)('the bytes %s are those of docs/tunnel.md', (hex, message) => {
  expect(Buffer.from(message).toString('hex')).toBe(hex.replaceAll(' ', ''));
});

test.each(messages)('%s is decoded, wherever in a buffer it lies', (_hex, message, frame) => {
  const buffer = new Uint8Array(message.length + 20).fill(255);
  buffer.set(message, 11);
  expect(decodeFrame(buffer.subarray(11, 11 + message.length))).toEqual(frame);
});

test('a token may be empty, and is UTF-8', () => {
  expect(decodeFrame(encodeHello({ ...hello, token: '' }))).toMatchObject({ token: '' });
  expect(decodeFrame(encodeHello({ ...hello, token: 'tökén' }))).toMatchObject({ token: 'tökén' });
});

test('a reason is cut at 64 bytes', () => {
  expect(decodeFrame(encodeReset({ stream: 1, code: 4, reason: 'x'.repeat(65) }))).toMatchObject({
    reason: 'x'.repeat(64),
  });
});

const notUtf8 = (message: Uint8Array): Uint8Array => {
  message.set([0xff, 0xfe], message.length - 2);
  return message;
};

test.each<[string, Uint8Array]>([
  ['an empty message', new Uint8Array()],
  ['type 0', Uint8Array.of(0)],
  ['type 12', Uint8Array.of(12)],
  ['HELLO without its windows', encodeHello({ ...hello, token: '' }).subarray(0, 9)],
  ['a token that is not UTF-8', notUtf8(encodeHello({ ...hello, token: 'ab' }))],
  ['a token of 4,097 bytes', encodeHello({ ...hello, token: 'x'.repeat(4097) })],
  ['a stream window below 65,536', encodeHello({ ...hello, streamWindowBytes: 65_535 })],
  ['a stream window above 16 MiB', encodeHello({ ...hello, streamWindowBytes: 16 * MIB + 1 })],
  ['a socket window above 64 MiB', encodeHello({ ...hello, socketWindowBytes: 64 * MIB + 1 })],
  ['WELCOME with a window too small', encodeWelcome({ ...welcome, socketWindowBytes: 65_535 })],
  ['WELCOME for no stream', encodeWelcome({ ...welcome, maxStreams: 0 })],
  ['WELCOME with a trailing byte', Uint8Array.of(...encodeWelcome(welcome), 0)],
  ['OPEN of stream 0', encodeOpen({ stream: 0, hostname: 'a', port: 1 })],
  ['OPEN with port 0', encodeOpen({ stream: 1, hostname: 'a', port: 0 })],
  ['OPEN without a name', encodeOpen({ stream: 1, hostname: '', port: 1 })],
  ['OPEN with a name of 256 bytes', encodeOpen({ stream: 1, hostname: 'x'.repeat(256), port: 1 })],
  ['OPEN with a space', encodeOpen({ stream: 1, hostname: 'a b', port: 1 })],
  ['OPEN with NUL', encodeOpen({ stream: 1, hostname: 'a\0b', port: 1 })],
  ['OPEN beyond ASCII', encodeOpen({ stream: 1, hostname: 'bücher.example', port: 1 })],
  ['OPENED of stream 0', encodeOpened(0)],
  ['OPENED with a trailing byte', Uint8Array.of(...encodeOpened(1), 0)],
  ['DATA of stream 0', encodeData(0, Uint8Array.of(1))],
  ['DATA without a payload', encodeData(1, new Uint8Array())],
  ['DATA of 262,145 bytes', encodeData(1, new Uint8Array(262_145))],
  ['CREDIT of nothing', encodeCredit(1, 0)],
  ['CREDIT cut short', encodeCredit(1, 1).subarray(0, 8)],
  ['END of stream 0', encodeEnd(0)],
  ['END cut short', encodeEnd(1).subarray(0, 4)],
  ['RESET of stream 0', encodeReset({ stream: 0, code: 1, reason: '' })],
  ['RESET without a code', encodeReset({ stream: 1, code: 1, reason: '' }).subarray(0, 5)],
  [
    'RESET with a long reason',
    Uint8Array.of(...encodeReset({ stream: 1, code: 1, reason: 'x'.repeat(64) }), 120),
  ],
  ['PING without a number', Uint8Array.of(9)],
  ['PONG with a trailing byte', Uint8Array.of(...encodePong(1), 0)],
  ['GOAWAY with a trailing byte', Uint8Array.of(11, 0)],
])('%s is nothing', (_name, message) => {
  expect(decodeFrame(message)).toBeUndefined();
});
