import { expect, it } from 'vitest';
import { fromBase64, fromLatin1, printable, toBase64, toHex, toLatin1 } from '../../../src/util/encoding.js';

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
/** More than one slice of `fromLatin1`. */
const long = Uint8Array.from({ length: 20_000 }, (_, at) => at % 251);

it.each([
  ['no bytes', new Uint8Array()],
  ['every byte', everyByte],
  ['many bytes', long],
])('%s are written as Node writes them, and read back', (_, bytes) => {
  const buffer = Buffer.from(bytes);
  expect(toHex(bytes)).toBe(buffer.toString('hex'));
  expect(toBase64(bytes)).toBe(buffer.toString('base64'));
  expect(fromLatin1(bytes)).toBe(buffer.toString('latin1'));
  expect(fromBase64(toBase64(bytes))).toEqual(bytes);
  expect(toLatin1(fromLatin1(bytes))).toEqual(bytes);
});

it('base64 may have white space in it, and nothing else', () => {
  expect(fromBase64(' AQ\r\nI=\t')).toEqual(Uint8Array.of(1, 2));
  for (const text of ['A', 'AQ-_', 'AQ=I', 'é']) expect(fromBase64(text)).toBeUndefined();
});

it('a text of a server has no quote, backslash, line break or letter beyond ASCII in a message', () => {
  expect(printable('a b~!"\\\r\n\x7f\xe9')).toBe('a b~!\\x22\\x5c\\x0d\\x0a\\x7f\\xe9');
});
