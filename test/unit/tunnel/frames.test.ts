import { expect, test } from 'vitest';
import {
  decodeFrame,
  encodeAccept,
  encodeCredit,
  encodeData,
  encodeEnd,
  encodeHello,
  encodePing,
  encodePong,
} from '../../../src/tunnel/frames.js';

const hello = { version: 1, windowBytes: 1048576, hostname: 'example.com', port: 443, token: 'tökén' };

test('the bytes are those of docs/tunnel.md', () => {
  expect(Buffer.from(encodeHello({ ...hello, hostname: 'a.b', token: 'T' })).toString('hex')).toBe(
    '0101' + '00100000' + '01bb' + '03' + '612e62' + '0001' + '54',
  );
  expect(Buffer.from(encodeAccept(65536)).toString('hex')).toBe('0200010000');
  expect(Buffer.from(encodeData(Uint8Array.of(7, 8))).toString('hex')).toBe('030708');
  expect(Buffer.from(encodeCredit(258)).toString('hex')).toBe('0400000102');
  expect(Buffer.from(encodeEnd()).toString('hex')).toBe('05');
  expect(Buffer.from(encodePing()).toString('hex')).toBe('06');
  expect(Buffer.from(encodePong()).toString('hex')).toBe('07');
});

test('what is encoded is decoded, wherever in a buffer it lies', () => {
  const inside = (message: Uint8Array) => {
    const buffer = new Uint8Array(message.length + 20).fill(255);
    buffer.set(message, 11);
    return buffer.subarray(11, 11 + message.length);
  };
  expect(decodeFrame(inside(encodeHello(hello)))).toEqual({ type: 'hello', ...hello });
  expect(decodeFrame(inside(encodeAccept(65536)))).toEqual({ type: 'accept', windowBytes: 65536 });
  expect(decodeFrame(inside(encodeData(Uint8Array.of(1))))).toEqual({
    type: 'data',
    payload: Uint8Array.of(1),
  });
  expect(decodeFrame(inside(encodeCredit(2 ** 32 - 1)))).toEqual({ type: 'credit', bytes: 2 ** 32 - 1 });
  expect(decodeFrame(inside(encodeEnd()))).toEqual({ type: 'end' });
  expect(decodeFrame(inside(encodePing()))).toEqual({ type: 'ping' });
  expect(decodeFrame(inside(encodePong()))).toEqual({ type: 'pong' });
});

test('anything else is nothing', () => {
  const message = encodeHello(hello);
  for (let length = 0; length < message.length; length++) {
    expect(decodeFrame(message.subarray(0, length))).toBeUndefined();
  }
  const notUtf8 = encodeHello({ ...hello, token: 'ab' });
  notUtf8.set([0xff, 0xfe], notUtf8.length - 2);
  const wrong = [
    notUtf8,
    encodeHello({ ...hello, hostname: '' }),
    encodeHello({ ...hello, token: 'x'.repeat(4097) }),
  ];
  wrong.push(
    encodeAccept(65535),
    encodeAccept(2 ** 24 + 1),
    encodeData(new Uint8Array(65537)),
    encodeCredit(0),
  );
  wrong.push(
    Uint8Array.of(0),
    Uint8Array.of(8),
    Uint8Array.of(5, 0),
    Uint8Array.of(6, 0),
    Uint8Array.of(7, 0),
    Uint8Array.of(4, 0, 0, 0, 1, 0),
  );
  for (const each of wrong) expect(decodeFrame(each)).toBeUndefined();
});
