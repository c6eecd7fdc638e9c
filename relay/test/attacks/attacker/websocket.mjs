// WebSocket itself (RFC 6455): frames, before HELLO and behind it.
import { deflateRawSync } from 'node:zlib';
import { drip, keep, pump, withAdmission, withWebSocket } from './connections.mjs';
import { frame, frames, hello, OPCODES, open, repeated } from './messages.mjs';
import { situation } from './situation.mjs';

const one = Buffer.of(1);
const nothing = Buffer.alloc(0);
const { continuation, text, close, ping, pong } = OPCODES;
const BOMB = deflateRawSync(Buffer.alloc(50_000_000));
const COMPRESSED = 0x40;

/** A frame's head of 64 KiB, whose payload then comes in TCP segments of one byte. */
function writeByteByByte(socket) {
  socket.write(Buffer.of(0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0));
  drip(socket, () => one, 2);
}

/** Each in turn, on a WebSocket of its own; half of them behind HELLO. */
function keepViolating(count, violations) {
  let turn = 0;
  const violate = socket => {
    socket.write(violations[turn++ % violations.length]);
  };
  keep(count, withWebSocket(violate));
  keep(count, withAdmission(violate));
}

export const websocket = {
  /** A message that never ends, in fragments of one byte. */
  fragments: () =>
    keep(
      64,
      withWebSocket(socket => pump(socket, frame(one, { opcode: continuation, final: false }))),
    ),
  'fragments-of-binary': () =>
    keep(
      64,
      withWebSocket(socket => {
        socket.write(frame(one, { final: false }));
        pump(socket, repeated(frame(one, { opcode: continuation, final: false }), 1000));
      }),
    ),
  'fragments-after-hello': () =>
    keep(
      16,
      withAdmission(socket => {
        socket.write(frame(one, { final: false }));
        pump(socket, repeated(frame(nothing, { opcode: continuation, final: false }), 60));
      }),
    ),
  /** One frame in TCP segments of one byte. */
  segments: () => keep(128, withWebSocket(writeByteByByte)),
  /** The same behind an accepted HELLO. */
  'segments-after-hello': () => keep(128, withAdmission(writeByteByByte)),
  /** Pongs of six bytes before HELLO. */
  pongs: () =>
    keep(
      4,
      withWebSocket(socket => pump(socket, repeated(frame(nothing, { opcode: pong }), 10_000))),
    ),
  'pongs-after-hello': () =>
    keep(
      4,
      withWebSocket(socket => {
        socket.write(frames(hello(), open(1, situation.targets.echo)));
        pump(socket, repeated(frame(nothing, { opcode: pong }), 10_000));
      }),
    ),
  /** Each asks for an answer of its size, which nobody reads. */
  'pings-without-reading': () =>
    keep(
      8,
      withAdmission(socket => {
        socket.pause();
        pump(socket, repeated(frame(Buffer.alloc(125), { opcode: ping }), 500));
      }),
    ),
  'pings-before-hello': () =>
    keep(
      16,
      withWebSocket(socket => pump(socket, repeated(frame(Buffer.alloc(125), { opcode: ping }), 100))),
    ),
  /** The largest messages, in place of HELLO, behind a refusal, and in pieces. */
  'bulk-before-hello': () => {
    const bulk = frame(Buffer.alloc(262_000));
    keep(
      16,
      withWebSocket(socket => pump(socket, bulk)),
    );
    keep(
      16,
      withWebSocket(socket => pump(socket, bulk), { Origin: 'http://evil.test' }),
    );
    keep(
      16,
      withWebSocket(socket => pump(socket, repeated(frame(Buffer.alloc(100_000), { final: false }), 1))),
    );
  },
  /** Messages that are never complete, on as many WebSockets as there may be. */
  'half-messages': () =>
    keep(
      250,
      withAdmission(socket => {
        socket.write(frame(Buffer.alloc(262_000)).subarray(0, 261_000));
      }),
      200,
    ),
  /** A ping in the midst of each message. */
  'pings-in-messages': () =>
    keep(
      8,
      withAdmission(socket => {
        const pieces = [
          frame(one, { final: false }),
          frame(Buffer.alloc(125), { opcode: ping }),
          frame(one, { opcode: continuation, final: false }),
        ];
        pump(socket, repeated(Buffer.concat(pieces), 20));
      }),
    ),
  'compressed-frames': () =>
    keep(
      32,
      withWebSocket(socket => pump(socket, frame(BOMB, { rsv: COMPRESSED })), {
        'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits; server_no_context_takeover',
      }),
    ),
  'fragmented-control': () => keepViolating(16, [frame(one, { opcode: ping, final: false })]),
  'long-control': () => keepViolating(16, [frame(Buffer.alloc(126), { opcode: ping })]),
  'unmasked-frames': () => keepViolating(16, [frame(hello('x'), { masked: false })]),
  'reserved-bits': () =>
    keepViolating(8, [
      ...[0x10, 0x20, 0x40, 0x70].map(rsv => frame(one, { rsv })),
      ...[3, 7, 11, 15].map(opcode => frame(one, { opcode })),
    ]),
  'huge-lengths': () =>
    keepViolating(8, [
      Buffer.of(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      Buffer.of(0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
      Buffer.of(0x82, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0),
      Buffer.of(0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1),
    ]),
  'texts-that-are-not': () =>
    keepViolating(8, [
      frame(Buffer.of(0xff, 0xfe), { opcode: text }),
      frame(Buffer.of(0xed, 0xa0, 0x80), { opcode: text }),
      frame(Buffer.from('text'), { opcode: text }),
      frame(Buffer.alloc(200_000, 'é'), { opcode: text }),
    ]),
  'odd-closes': () =>
    keepViolating(8, [
      frame(one, { opcode: close }),
      ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535].map(code =>
        frame(Buffer.of(code >> 8, code & 255), { opcode: close }),
      ),
      frame(Buffer.of(3, 232, 0xff, 0xff), { opcode: close }),
    ]),
  /** A close does not end the connection: what comes behind it is still read. */
  'floods-behind-a-close': () =>
    keep(
      16,
      withAdmission(socket => {
        socket.write(frame(Buffer.of(3, 232), { opcode: close }));
        pump(socket, repeated(frame(nothing, { opcode: pong }), 1000));
      }),
    ),
};
