import type net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ACK, block, END_HEADERS, END_STREAM, Frame, frame, headers, serveFrames, u32 } from './h2-frames.js';
import {
  client,
  rejection,
  serveRaw,
  sleep,
  type TestClient,
  type TestServer,
  until,
  url,
} from './servers.js';

const MIB = 1 << 20;
/** What the engine may hold however a server behaves with one response. */
const MOST_ENGINE_BYTES = 8 * MIB;

let tested: TestClient;
let server: TestServer;

afterEach(async () => {
  tested.close();
  await server.close();
});

/** The body of the response, or the code of what came instead. */
async function outcome(path = '/'): Promise<string> {
  const answer = async () => (await tested.fetch(url(server, path))).text();
  const result = await answer().catch((error: { code?: string }) => error.code ?? String(error));
  expect(tested.engine.memoryBytes).toBeLessThan(MOST_ENGINE_BYTES);
  return result;
}

describe('an http/1.1 server', () => {
  /** Answers each request with these bytes, and ends its side behind them. */
  const answering = async (bytes: string) => {
    server = await serveRaw(socket => {
      socket.once('data', () => socket.end(Buffer.from(bytes, 'latin1')));
    });
    tested = await client('http/1.1');
  };
  const framed = (fields: string, body: string) => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${body}`;
  const chunked = (body: string) => framed('transfer-encoding: chunked', body);
  const early = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n';
  const ok = framed('content-length: 2', 'ok');

  it.each([
    ['conflicting lengths', framed('content-length: 1\r\ncontent-length: 2', 'ok')],
    ['a negative length', framed('content-length: -1', '')],
    ['a signed length', framed('content-length: +2', 'ok')],
    ['a length that is no number', framed('content-length: two', 'ok')],
    ['a length beyond 64 bits', framed('content-length: 18446744073709551616', 'ok')],
    [
      'a length and chunks',
      framed('content-length: 3\r\ntransfer-encoding: chunked', '2\r\nok\r\n0\r\n\r\n'),
    ],
    ['chunks in HTTP/1.0', chunked('2\r\nok\r\n0\r\n\r\n').replace('1.1', '1.0')],
    ['a chunk beyond 64 bits', chunked('fffffffffffffffff\r\nok')],
    ['a negative chunk', chunked('-1\r\nok')],
    ['a chunk longer than it says', chunked('2\r\nokay\r\n0\r\n\r\n')],
    ['an endless chunk extension', chunked(`2;${'x'.repeat(100_000)}`)],
    ['endless trailers', chunked(`2\r\nok\r\n0\r\nx: ${'y'.repeat(1_000_000)}`)],
    ['a zero byte in a field', framed('x: a\0b', '')],
    ['a bare CR in a field', framed('x: a\rb', '')],
    ['a field without a colon', framed('xyz', '')],
    ['a space before the colon', framed('content-length : 2', 'ok')],
    ['a folded field', framed('x: a\r\n b', '')],
    ['an answer in HTTP/0.9', 'hello'],
    ['an answer in HTTP/2.0', 'HTTP/2.0 200 OK\r\n\r\nhello'],
    ['another protocol, unasked', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 99 x\r\ncontent-length: 0\r\n\r\n'],
  ])('that sends %s is told by ERR_HTTP_PROTOCOL', async (_name, bytes) => {
    await answering(bytes);
    expect(await outcome()).toBe('ERR_HTTP_PROTOCOL');
    await until(() => tested.engine.openCount === 0);
  });

  it.each([
    ['HTTP/1.0 and an end', 'HTTP/1.0 200 OK\r\n\r\nok'],
    ['one length twice', framed('content-length: 2\r\ncontent-length: 2', 'ok')],
    ['trailers', chunked('2\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n')],
    ['100 (Continue)', `HTTP/1.1 100 Continue\r\n\r\n${ok}`],
    ['a thousand early hints', `${early.repeat(1000)}${ok}`],
  ])('that sends %s is understood', async (_name, bytes) => {
    await answering(bytes);
    expect(await outcome()).toBe('ok');
  });

  it('that sends informational responses without end is given up', async () => {
    await answering(early.repeat(50_000));
    expect(await outcome()).toBe('ERR_HTTP_HEADERS_TOO_LARGE');
    await until(() => tested.engine.openCount === 0);
  });

  it('that sends byte by byte is understood', async () => {
    server = await serveRaw(socket => {
      socket.setNoDelay(true);
      socket.once('data', async () => {
        for (const byte of framed('transfer-encoding: chunked', '2\r\nok\r\n0\r\n\r\n')) {
          socket.write(byte);
          await sleep(1);
        }
      });
    });
    tested = await client('http/1.1');
    expect(await outcome()).toBe('ok');
  });

  it('that writes a second response behind the first one has its connection dropped', async () => {
    const smuggled = framed('content-length: 8', 'smuggled');
    for (const delayMs of [0, 30]) {
      server = await serveRaw(socket => {
        socket.on('data', () => {
          if (!delayMs) return void socket.write(ok + smuggled);
          socket.write(ok);
          setTimeout(() => socket.write(smuggled), delayMs);
        });
      });
      tested = await client('http/1.1');
      for (let count = 0; count < 3; count++) {
        expect(await outcome()).toBe('ok');
        if (delayMs) await until(() => tested.engine.openCount === 0);
      }
      expect(tested.connects.count).toBe(3);
      if (delayMs) break;
      tested.close();
      await server.close();
    }
  });
});

describe('an h2 server', () => {
  const answering = async (answer: (socket: net.Socket, stream: number) => void) => {
    server = await serveFrames(answer);
    tested = await client('h2');
  };
  const head = (stream: number) => headers(stream, [[':status', '200']]);
  const last = (stream: number) => frame([Frame.data, END_STREAM], stream, Buffer.from('ok'));
  const ok = (stream: number) => Buffer.concat([head(stream), last(stream)]);
  const many = (bytes: Buffer, count: number) => Buffer.alloc(bytes.length * count, bytes);
  const long = 'y'.repeat(10_000);
  const promise = block([
    [':method', 'GET'],
    [':path', '/pushed'],
    [':scheme', 'https'],
    [':authority', 'localhost'],
  ]);

  it.each([
    [
      'a push',
      (stream: number) => frame([Frame.pushPromise, END_HEADERS], stream, Buffer.concat([u32(2), promise])),
    ],
    ['a reset of a stream that never was', () => frame([Frame.rstStream], 99, u32(8))],
    ['a body of a stream that never was', () => frame([Frame.data], 99, Buffer.from('x'))],
    ['a window beyond its limit', () => many(frame([Frame.windowUpdate], 0, u32(0x7fff_ffff)), 2)],
    ['an empty growth of the window', () => frame([Frame.windowUpdate], 0, u32(0))],
    ['a frame that is too large', (stream: number) => frame([Frame.data], stream, Buffer.alloc(20_000))],
    ['no status', (stream: number) => headers(stream, [['x', 'y']])],
    [
      'a name in upper case',
      (stream: number) =>
        headers(stream, [
          [':status', '200'],
          ['Upper', 'x'],
        ]),
    ],
    [
      'a line break in a field',
      (stream: number) =>
        headers(stream, [
          [':status', '200'],
          ['x', 'a\r\nb: c'],
        ]),
    ],
    [
      'a head in endless pieces',
      (stream: number) =>
        Buffer.concat([
          headers(stream, [[':status', '200']], 0),
          many(frame([Frame.continuation], stream, block([['x', long]])), 5000),
        ]),
    ],
    [
      'a head in endless empty pieces',
      (stream: number) =>
        Buffer.concat([
          headers(stream, [[':status', '200']], 0),
          many(frame([Frame.continuation], stream), 500_000),
        ]),
    ],
    [
      'endless empty pieces of a body',
      (stream: number) => Buffer.concat([head(stream), many(frame([Frame.data], stream), 300_000)]),
    ],
  ])('that sends %s is told by ERR_HTTP_PROTOCOL', async (_name, bytes) => {
    await answering((socket, stream) => void socket.write(bytes(stream)));
    expect(await outcome()).toBe('ERR_HTTP_PROTOCOL');
  });

  it.each([
    ['SETTINGS', () => many(frame([Frame.settings], 0), 300_000)],
    ['PING', () => many(frame([Frame.ping], 0, Buffer.alloc(8)), 200_000)],
    ['acknowledgements of no PING', () => many(frame([Frame.ping, ACK], 0, Buffer.alloc(8)), 200_000)],
    ['WINDOW_UPDATE', () => many(frame([Frame.windowUpdate], 0, u32(1)), 200_000)],
    ['frames of no known type', () => many(frame([0xfa], 0, Buffer.alloc(100)), 50_000)],
    [
      'early hints',
      (stream: number) =>
        many(
          headers(stream, [
            [':status', '103'],
            ['link', '</a>'],
          ]),
          20_000,
        ),
    ],
  ])('that floods with %s is borne', async (_name, flood) => {
    await answering((socket, stream) => {
      socket.write(Buffer.concat([flood(stream), ok(stream)]));
    });
    expect(await outcome()).toBe('ok');
  });

  it('that sends a body in single bytes to a reader that stops is held', async () => {
    await answering((socket, stream) => {
      socket.write(
        Buffer.concat([head(stream), many(frame([Frame.data], stream, Buffer.from('x')), 2_000_000)]),
      );
    });
    const response = await tested.fetch(url(server));
    const reading = async () => {
      await sleep(500);
      await response.text();
    };
    expect((await rejection(reading())).code).toBe('ERR_HTTP_PROTOCOL');
    expect(tested.engine.memoryBytes).toBeLessThan(128 * MIB);
  });

  it('that sends more than the window allows fails the stream alone', async () => {
    await answering((socket, stream) => {
      if (stream !== 1) return void socket.write(ok(stream));
      socket.write(
        Buffer.concat([head(stream), many(frame([Frame.data], stream, Buffer.alloc(16_384)), 200)]),
      );
    });
    const response = await tested.fetch(url(server));
    await sleep(200);
    expect(await outcome()).toBe('ok');
    expect((await rejection(response.text())).code).toBe('ERR_HTTP_PROTOCOL');
    expect(tested.connects.count).toBe(1);
  });

  it('that sends a head beyond the limit is told so, and goes on', async () => {
    await answering((socket, stream) => {
      if (stream !== 1) return void socket.write(ok(stream));
      const fields = block([
        [':status', '200'],
        ['x', 'y'.repeat(300_000)],
      ]);
      for (let at = 0; at < fields.length; at += 16_000) {
        const end = at + 16_000 >= fields.length ? END_HEADERS : 0;
        socket.write(
          frame([at ? Frame.continuation : Frame.headers, end], stream, fields.subarray(at, at + 16_000)),
        );
      }
    });
    expect(await outcome()).toBe('ERR_HTTP_HEADERS_TOO_LARGE');
    expect(await outcome()).toBe('ok');
    expect(tested.connects.count).toBe(1);
  });

  it('whose body has another length than announced is told by ERR_HTTP_TRUNCATED', async () => {
    for (const length of ['1', '5']) {
      await answering((socket, stream) => {
        const announced: [string, string][] = [
          [':status', '200'],
          ['content-length', length],
        ];
        socket.write(Buffer.concat([headers(stream, announced), last(stream)]));
      });
      expect(await outcome()).toBe('ERR_HTTP_TRUNCATED');
      if (length === '5') break;
      tested.close();
      await server.close();
    }
  });

  it('that sends byte by byte is understood', async () => {
    await answering(async (socket, stream) => {
      socket.setNoDelay(true);
      for (const byte of ok(stream)) {
        socket.write(Buffer.from([byte]));
        await sleep(1);
      }
    });
    expect(await outcome()).toBe('ok');
  });

  it('that sends trailers is understood', async () => {
    await answering((socket, stream) => {
      const body = frame([Frame.data], stream, Buffer.from('ok'));
      const trailers = headers(stream, [['x-trailer', '1']], END_HEADERS | END_STREAM);
      socket.write(Buffer.concat([head(stream), body, trailers]));
    });
    expect(await outcome()).toBe('ok');
  });

  it('that goes away in time and again is left', { timeout: 40_000 }, async () => {
    let asked = 0;
    await answering(socket => {
      asked++;
      socket.end(frame([Frame.goAway], 0, Buffer.concat([u32(0), u32(11)])));
    });
    expect(await outcome()).toBe('ERR_HTTP_RESET');
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThan(15);
  });
});
