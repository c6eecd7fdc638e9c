import { situation } from './situation.mjs';

export const repeated = (bytes, count) => Buffer.concat(Array.from({ length: count }, () => bytes));

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const FINAL = 0x80;
const MASKED = 0x80;

/** A WebSocket frame (RFC 6455 section 5.2); its mask is of zeros. */
export function frame(payload, { opcode = OPCODES.binary, final = true, rsv = 0, masked = true } = {}) {
  const first = (final ? FINAL : 0) | rsv | opcode;
  return Buffer.concat([Buffer.of(first), lengthOf(payload.length, masked), payload]);
}

function lengthOf(length, masked) {
  const bit = masked ? MASKED : 0;
  const mask = Buffer.alloc(masked ? 4 : 0);
  if (length < 126) return Buffer.concat([Buffer.of(bit | length), mask]);
  if (length < 65_536) return Buffer.concat([Buffer.of(bit | 126, length >> 8, length & 255), mask]);
  const long = Buffer.alloc(8);
  long.writeUInt32BE(length, 4);
  return Buffer.concat([Buffer.of(bit | 127), long, mask]);
}

// Messages of the tunnel (docs/tunnel.md)

const TYPES = { hello: 1, open: 3, data: 5, credit: 6, end: 7, reset: 8, ping: 9, pong: 10, goaway: 11 };

function message(type, numbers = [], tail = '') {
  const head = Buffer.alloc(1 + 4 * numbers.length);
  head[0] = typeof type === 'number' ? type : TYPES[type];
  for (const [index, number] of numbers.entries()) head.writeUInt32BE(number, 1 + 4 * index);
  return Buffer.concat([head, Buffer.from(tail)]);
}

/** HELLO with the largest windows. */
export function hello(token = situation.token) {
  return Buffer.concat([Buffer.of(1, 2, 4, 0, 0, 0, 1, 0, 0, 0), Buffer.from(token)]);
}

export function open(stream, port, hostname = '127.0.0.1') {
  return message('open', [stream], Buffer.concat([Buffer.of(port >> 8, port & 255), Buffer.from(hostname)]));
}

export const data = (stream, payload) => message('data', [stream], payload);
export const credit = (stream, bytes) => message('credit', [stream, bytes]);
export const end = stream => message('end', [stream]);
export const reset = stream => message('reset', [stream], Buffer.of(0));
export const ping = number => message('ping', [number]);
export const pong = number => message('pong', [number]);
/** Any type, and what stands behind it. */
export const raw = (type, numbers, tail) => message(type, numbers, tail);

/** Messages, each in a frame. */
export const frames = (...messages) => Buffer.concat(messages.map(each => frame(each)));
