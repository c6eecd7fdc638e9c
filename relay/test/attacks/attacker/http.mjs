// Before the WebSocket: connections and requests.
import { drip, keep, pump, upgrade, withWebSocket } from './connections.mjs';
import { frames, hello, open, repeated } from './messages.mjs';
import { situation } from './situation.mjs';

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

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const random = () => Math.floor(Math.random() * 0x10000).toString(16);
const rest = () => Buffer.from(upgrade());

/** A header of the PROXY protocol, version 2. */
function proxyHeader(family, body, command = 0x21) {
  const head = Buffer.of(command, family, body.length >> 8, body.length & 255);
  return Buffer.concat([SIGNATURE, head, body]);
}

/** WebSockets that say nothing, from addresses that a trusted proxy names. */
function keepFromAddresses(address) {
  keep(
    256,
    socket => {
      socket.write(`PROXY TCP6 ${address()} 2001:db8::1 1000 443\r\n`);
      withWebSocket(() => {})(socket);
    },
    0,
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
  /** Node skips the empty line, and parses what follows. */
  'pipelined-behind-an-empty-line': () =>
    keep(16, socket => pump(socket, Buffer.concat([Buffer.from('\r\n'), repeated(GET, 1000)]))),
  /** An Upgrade that Connection does not name asks for nothing. */
  'pipelined-half-upgrades': () =>
    keep(16, socket => pump(socket, repeated(Buffer.from(upgrade({ Connection: undefined })), 200))),
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
  /** As many TCP segments as a head may have bytes. */
  'heads-in-segments': () =>
    keep(64, socket => {
      const text = Buffer.from(upgrade({ Cookie: 'c'.repeat(15_900) }));
      let at = 0;
      const more = () => {
        for (let count = 0; count < 20 && !socket.destroyed; count++) socket.write(text.subarray(at, ++at));
        if (at < text.length && !socket.destroyed) setImmediate(more);
      };
      more();
    }),
  'http2-prefaces': () =>
    keep(32, socket => {
      socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      pump(socket, repeated(Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0), 1000));
    }),
  /** A token where none is looked for, and none in HELLO. */
  'tokens-elsewhere': () => {
    const { token } = situation;
    const places = [
      () => upgrade({}, `GET /?token=${token} HTTP/1.1`),
      () => upgrade({ 'Sec-WebSocket-Protocol': `${situation.subprotocol}, ${token}` }),
      () => upgrade({ Authorization: `Bearer ${token}` }),
      () => upgrade({ Cookie: `token=${token}` }),
    ];
    let turn = 0;
    keep(16, socket => {
      socket.write(places[turn++ % places.length]());
      socket.once('data', () => socket.write(frames(hello(''), open(1, situation.targets.echo))));
    });
  },
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
  /** Version 2 with what a proxy would not send. */
  'proxy-headers-of-version-2': () =>
    keepSending(64, [
      ...['03', '0300', '030005', '03000501', '200001', 'ff0000ff0000'].map(
        extension => () =>
          Buffer.concat([
            proxyHeader(0x11, Buffer.from(`0a0000010a00000200500050${extension}`, 'hex')),
            rest(),
          ]),
      ),
      () => Buffer.concat([proxyHeader(0x31, Buffer.alloc(216)), rest()]),
      () => Buffer.concat([proxyHeader(0x11, Buffer.alloc(11)), rest()]),
      () => Buffer.concat([proxyHeader(0x21, Buffer.alloc(35)), rest()]),
      () => Buffer.concat([proxyHeader(0x00, Buffer.alloc(0), 0x20), rest()]),
      () => Buffer.concat([proxyHeader(0x11, Buffer.alloc(12)), proxyHeader(0x11, Buffer.alloc(12)), rest()]),
      () => Buffer.concat([proxyHeader(0x11, Buffer.alloc(12)), Buffer.from('PROXY UNKNOWN\r\n'), rest()]),
      () => Buffer.concat([proxyHeader(0x11, Buffer.alloc(4084)), rest()]),
      () => `PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n${upgrade()}`,
      () => `proxy TCP4 10.0.0.1 10.0.0.2 1 2\r\n${upgrade()}`,
      () => `PROXY TCP4 010.0.0.1 10.0.0.2 1 2\r\n${upgrade()}`,
    ]),
  /** A page that has a whole /64, behind a proxy. */
  'addresses-of-a-network': () => keepFromAddresses(() => `2001:db8:1:2:${random()}:${random()}:0:1`),
  /** Each connection from a network of its own. */
  'addresses-of-many-networks': () => keepFromAddresses(() => `2001:db8:${random()}:${random()}::1`),
};
