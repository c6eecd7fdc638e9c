// An attacker of a relay, in a process of its own: node attacker.mjs '{"kind":"pongs","port":8080,"hello":["01…","03…"]}'
import { connect } from 'node:net';

const { kind, port, hello, addresses = ['127.0.0.2'] } = JSON.parse(process.argv[2]);
const SUBPROTOCOL = process.argv[3];

function upgrade(origin = 'http://page.test') {
  return (
    'GET / HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\nOrigin: ${origin}\r\n\r\n`
  );
}

/** A masked frame of less than 126 bytes, with a mask of zeros. */
function frame(first, payload) {
  return Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

const one = Buffer.of(1);
const repeated = (bytes, count) => Buffer.concat(Array.from({ length: count }, () => bytes));
let turn = 0;

function dial(onConnect, onClose = () => {}) {
  const localAddress = addresses[turn++ % addresses.length];
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
  socket.on('error', () => {});
  socket.on('close', onClose);
  socket.on('connect', () => onConnect(socket));
  socket.resume();
}

/** Keeps so many connections, each of which begins by `start`; a closed one is replaced. */
function keep(count, start, pauseMs = 5) {
  const again = () => dial(start, () => setTimeout(again, pauseMs));
  for (let index = 0; index < count; index++) again();
}

/** Writes the same again and again, as fast as the relay takes it. */
function pump(socket, bytes) {
  const more = () => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on('drain', more);
  more();
}

/** Begins a WebSocket, and goes on when the relay has answered. */
const withWebSocket = (start, origin) => socket => {
  socket.write(upgrade(origin));
  socket.once('data', () => start(socket));
};

/** HELLO, and OPEN of a stream. */
const helloFrame = () => Buffer.concat(hello.map(message => frame(0x82, Buffer.from(message, 'hex'))));

const attacks = {
  /** A message that never ends, in fragments of one byte. */
  fragments: () =>
    keep(
      64,
      withWebSocket(socket => pump(socket, frame(0x00, one)), 'http://page.test'),
    ),
  'fragments-of-binary': () =>
    keep(
      64,
      withWebSocket(socket => {
        socket.write(frame(0x02, one));
        pump(socket, repeated(frame(0x00, one), 1000));
      }),
    ),
  /** One frame in TCP segments of one byte. */
  segments: () =>
    keep(
      128,
      withWebSocket(socket => {
        socket.write(Buffer.of(0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0));
        const timer = setInterval(() => socket.write(one), 2);
        socket.on('close', () => clearInterval(timer));
      }),
    ),
  /** The same behind an accepted HELLO. */
  'segments-after-hello': () =>
    keep(
      128,
      withWebSocket(socket => {
        socket.write(helloFrame());
        socket.once('data', () => {
          socket.write(Buffer.of(0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0));
          const timer = setInterval(() => socket.write(one), 2);
          socket.on('close', () => clearInterval(timer));
        });
      }),
    ),
  'foreign-origins': () =>
    keep(
      64,
      withWebSocket(() => {}, 'http://evil.test'),
    ),
  'foreign-origins-at-once': () =>
    keep(
      16,
      withWebSocket(socket => socket.destroy(), 'http://evil.test'),
    ),
  'silent-websockets': () =>
    keep(
      1000,
      withWebSocket(() => {}),
      2000,
    ),
  'silent-connections': () => keep(3000, () => {}, 3000),
  /** Pongs of six bytes before HELLO. */
  pongs: () =>
    keep(
      4,
      withWebSocket(socket => pump(socket, repeated(frame(0x8a, Buffer.alloc(0)), 10_000))),
    ),
  /** Pongs and DATA of one byte behind an accepted HELLO. */
  'pongs-after-hello': () =>
    keep(
      4,
      withWebSocket(socket => {
        socket.write(helloFrame());
        pump(socket, repeated(frame(0x8a, Buffer.alloc(0)), 10_000));
      }),
    ),
  'small-data': () =>
    keep(
      4,
      withWebSocket(socket => {
        socket.write(helloFrame());
        pump(socket, repeated(frame(0x82, Buffer.from(process.argv[4], 'hex')), 5000));
      }),
    ),
  guesses: () =>
    keep(
      64,
      withWebSocket(socket => socket.write(helloFrame())),
    ),
};

attacks[kind]();
