// Before the WebSocket: connections and requests.
import { drip, keep, pump, upgrade, withWebSocket } from './connections.mjs';
import { repeated } from './messages.mjs';

const GET = Buffer.from('GET / HTTP/1.1\r\nHost: relay\r\n\r\n');

/** Sends each of the texts on a connection of its own, in turn. */
function keepSending(count, texts, pauseMs) {
  let turn = 0;
  keep(
    count,
    socket => {
      socket.write(texts[turn++ % texts.length]());
    },
    pauseMs,
  );
}

export const http = {
  'silent-connections': () => keep(3000, () => {}, 3000),
  'silent-websockets': () =>
    keep(
      1000,
      withWebSocket(() => {}),
      2000,
    ),
  'foreign-origins': () =>
    keep(
      64,
      withWebSocket(() => {}, { Origin: 'http://evil.test' }),
    ),
  'foreign-origins-at-once': () =>
    keep(
      16,
      withWebSocket(socket => socket.destroy(), { Origin: 'http://evil.test' }),
    ),
  'long-origins': () =>
    keep(
      32,
      withWebSocket(socket => socket.destroy(), { Origin: `http://${'e'.repeat(15_000)}.test` }),
    ),
  /** Connected, and reset at once. */
  'rst-bursts': () => keep(64, socket => socket.resetAndDestroy(), 0),
  /** Reset while the relay answers. */
  'rst-behind-the-upgrade': () =>
    keep(
      32,
      socket => {
        socket.write(upgrade());
        setImmediate(() => socket.resetAndDestroy());
      },
      0,
    ),
  'pipelined-requests': () => keep(16, socket => pump(socket, repeated(GET, 1000))),
  'pipelined-upgrades': () => keep(16, socket => pump(socket, repeated(Buffer.from(upgrade()), 200))),
  /** A header a second, and a byte at a time. */
  'slow-headers': () =>
    keep(
      256,
      socket => {
        const text = upgrade();
        let at = 0;
        drip(socket, () => text[at++ % text.length], 20);
      },
      10,
    ),
  'large-headers': () =>
    keepSending(64, [
      () => upgrade({ Cookie: 'c'.repeat(15_000) }),
      () => upgrade({ Cookie: 'c'.repeat(17_000) }),
      () => upgrade({ Cookie: 'c'.repeat(1_000_000) }),
    ]),
  'many-headers': () =>
    keepSending(64, [
      () => upgrade(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`X-${index}`, '1']))),
      () => upgrade(Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`X${index}`, '']))),
    ]),
  'odd-requests': () =>
    keepSending(32, [
      () => upgrade({}, 'GET / HTTP/1.0'),
      () => upgrade({}, 'GET http://relay/ HTTP/1.1'),
      () => upgrade({}, 'GET //evil.test/ HTTP/1.1'),
      () => upgrade({}, 'GET * HTTP/1.1'),
      () => upgrade({}, 'CONNECT 127.0.0.1:22 HTTP/1.1'),
      () => upgrade({}, 'POST / HTTP/1.1'),
      () => upgrade({}, 'PRI * HTTP/2.0'),
      () => upgrade({ Upgrade: 'websocket, h2c' }),
      () => upgrade({ Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAoAAAAAIAAAAA' }),
      () => upgrade({ upgrade: 'websocket' }),
      () => upgrade({ Host: undefined }),
      () => upgrade({ Host: 'a\r\nHost: b' }),
      () => upgrade({ 'Sec-WebSocket-Key': 'short' }),
      () => upgrade({ 'Sec-WebSocket-Version': '8' }),
      () => upgrade({ 'Sec-WebSocket-Protocol': 'other' }),
      () => upgrade({ 'Sec-WebSocket-Protocol': `${'a, '.repeat(3000)}browser-mtls.v2` }),
      () => upgrade({ 'Sec-WebSocket-Extensions': 'permessage-deflate; '.repeat(500) }),
      () => upgrade({ 'X-Null': 'a\0b' }),
      () => upgrade().replaceAll('\r\n', '\n'),
      () => `${upgrade()}\x81\x80`,
      () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    ]),
  'bodies-of-upgrades': () =>
    keep(16, socket => {
      socket.write(upgrade({ 'Transfer-Encoding': 'chunked' }));
      pump(socket, Buffer.from(`ffff\r\n${'b'.repeat(0xffff)}\r\n`));
    }),
  'bodies-of-requests': () =>
    keep(16, socket => {
      socket.write('POST / HTTP/1.1\r\nHost: relay\r\nContent-Length: 9999999999\r\n\r\n');
      pump(socket, Buffer.alloc(65_536, 'b'));
    }),
  'expect-continue': () =>
    keepSending(64, [
      () => upgrade({ Expect: '100-continue' }),
      () => 'POST / HTTP/1.1\r\nHost: relay\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
      () => 'POST / HTTP/1.1\r\nHost: relay\r\nExpect: nonsense\r\nContent-Length: 9\r\n\r\n',
    ]),
  /** Ends its side with the request. */
  'half-closed-upgrades': () => keep(64, socket => socket.end(upgrade())),
  /** From an address that is no trusted proxy's. */
  'forwarded-spoofs': () => {
    let number = 0;
    const spoof = () => `10.${(++number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
    keep(64, socket => {
      withWebSocket(() => {}, { 'X-Forwarded-For': spoof() })(socket);
    });
  },
  'proxy-header-spoofs': () => {
    let number = 0;
    const line = () => `PROXY TCP4 10.0.${(++number >> 8) & 255}.${number & 255} 127.0.0.1 1000 80\r\n`;
    keepSending(64, [() => line() + upgrade()]);
  },
  /** From a trusted proxy's address, as a proxy would send it that passes on what it gets. */
  'proxy-headers': () =>
    keepSending(64, [
      () => 'PROXY TCP4 ',
      () => `PROXY TCP4 ${'1'.repeat(200)}`,
      () => `PROXY TCP4 127.0.0.1 127.0.0.1 99999 1\r\n${upgrade()}`,
      () => `PROXY UNKNOWN\r\n${upgrade()}`,
      () => Buffer.from('0d0a0d0a000d0a515549540a2111ffff', 'hex'),
      () => Buffer.from('0d0a0d0a000d0a515549540a21110001ff', 'hex'),
      () => Buffer.from('0d0a0d0a000d0a515549540a2011000c', 'hex'),
      () => upgrade({ 'X-Forwarded-For': `${'1.2.3.4, '.repeat(1500)}nonsense` }),
    ]),
};
