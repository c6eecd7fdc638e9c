import type net from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  ACK,
  block,
  END_HEADERS,
  END_STREAM,
  Frame,
  frame,
  headers,
  serveFrames,
  u32,
} from './support/h2-frames.js';
import {
  client,
  outcomeOf,
  rejection,
  serveRaw,
  sleep,
  type TestClient,
  type TestServer,
  until,
  url,
} from './support/servers.js';

const MIB = 1 << 20;

let tested: TestClient;
let server: TestServer;

const outcome = () => outcomeOf(tested, url(server));

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

  const setting = (id: number, value: number) =>
    frame([Frame.settings], 0, Buffer.concat([Buffer.from([0, id]), u32(value)]));
  const away = (stream: number) => frame([Frame.goAway], 0, Buffer.concat([u32(stream), u32(0)]));
  const coded = (stream: number, bytes: number[]) =>
    frame([Frame.headers, END_HEADERS], stream, Buffer.from(bytes));
  const pair = (field: string): [string, string] => {
    const at = field.indexOf(': ');
    return [field.slice(0, at), field.slice(at + 2)];
  };
  /** The first piece of a head puts a field into the table, all others name it again and again (RFC 7541 section 6.1). */
  const bomb = (stream: number) => {
    const field = block([['x', 'y'.repeat(3_900)]]);
    field[0] = 0x40;
    const first = Buffer.concat([Buffer.from([0x88]), field]);
    const again = frame([Frame.continuation], stream, Buffer.alloc(16_000, 0xbe));
    return Buffer.concat([frame([Frame.headers], stream, first), many(again, 300)]);
  };

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
    ['a field that is not in the table', (stream: number) => coded(stream, [0x88, 0xfe])],
    ['a table larger than it may be', (stream: number) => coded(stream, [0x3f, 0xe1, 0xff, 0x03, 0x88])],
    ['a number without end', (stream: number) => coded(stream, [0x88, 0x7f, ...Array(40).fill(0xff)])],
    ['a body before the head', (stream: number) => Buffer.concat([frame([Frame.data], stream), ok(stream)])],
    ['two heads', (stream: number) => Buffer.concat([head(stream), head(stream), last(stream)])],
    ['a head on a stream of its own', () => headers(2, [[':status', '200']])],
    ['a head on stream 0', () => headers(0, [[':status', '200']])],
    ['a body on stream 0', () => frame([Frame.data], 0, Buffer.from('x'))],
    [
      'a piece of a head that never began',
      (stream: number) => frame([Frame.continuation, END_HEADERS], stream),
    ],
    [
      'more padding than there is',
      (stream: number) => frame([Frame.data, 8], stream, Buffer.from([9, 1, 2])),
    ],
    [
      'padding without end',
      (stream: number) =>
        Buffer.concat([
          head(stream),
          many(frame([Frame.data, 8], stream, Buffer.alloc(256, '\xff', 'latin1')), 20_000),
        ]),
    ],
    ['SETTINGS that are cut', () => frame([Frame.settings], 0, Buffer.alloc(5))],
    ['SETTINGS on a stream', (stream: number) => frame([Frame.settings], stream)],
    ['SETTINGS with too large a window', () => setting(4, 0x8000_0000)],
    ['SETTINGS with too small a frame', () => setting(5, 100)],
    ['SETTINGS with half a push', () => setting(2, 2)],
    ['a PING that is cut', () => frame([Frame.ping], 0, Buffer.alloc(7))],
    ['a GOAWAY that takes back another', (stream: number) => Buffer.concat([away(stream), away(stream + 4)])],
    [
      'early hints that end',
      (stream: number) => headers(stream, [[':status', '103']], END_HEADERS | END_STREAM),
    ],
    ['101', (stream: number) => Buffer.concat([headers(stream, [[':status', '101']]), last(stream)])],
    [
      'trailers that do not end',
      (stream: number) => Buffer.concat([head(stream), headers(stream, [['x', '1']]), last(stream)]),
    ],
    ...['Connection: close', 'transfer-encoding: chunked', ':status: 201', 'content-length: x'].map(
      field =>
        [
          field,
          (stream: number) =>
            Buffer.concat([headers(stream, [[':status', '200'], pair(field)]), last(stream)]),
        ] as [string, (stream: number) => Buffer],
    ),
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
    ['PRIORITY', () => many(frame([2], 0x7f, Buffer.alloc(5)), 200_000)],
    ['GOAWAY', (stream: number) => many(away(stream), 100_000)],
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

  it('that flushes empty pieces of a body more often than h2 bears is understood', async () => {
    await answering((socket, stream) => {
      const pieces = many(frame([Frame.data], stream), 120);
      socket.write(Buffer.concat([head(stream), pieces, frame([Frame.data], stream, Buffer.from('so '))]));
      socket.write(Buffer.concat([pieces, last(stream)]));
    });
    for (let count = 0; count < 3; count++) expect(await outcome()).toBe('so ok');
    expect(tested.connects.count).toBe(1);
  });

  it('that resets a stream again and again behind its answer is borne', async () => {
    await answering((socket, stream) => {
      socket.write(Buffer.concat([ok(stream), many(frame([Frame.rstStream], stream, u32(8)), 100_000)]));
    });
    expect(await outcome()).toBe('ok');
    expect(await outcome()).toBe('ok');
  });

  it('that refuses every stream is asked a few times', async () => {
    let asked = 0;
    await answering((socket, stream) => {
      asked++;
      socket.write(frame([Frame.rstStream], stream, u32(7)));
    });
    expect(await outcome()).toBe('ERR_HTTP_RESET');
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThan(15);
  });

  it.each([
    ['data', (stream: number) => frame([Frame.data], stream, Buffer.from('more'))],
    ['trailers', (stream: number) => headers(stream, [['x', 'y']], END_HEADERS | END_STREAM)],
  ])('that sends %s behind the end gives the response as it was', async (_name, more) => {
    await answering((socket, stream) => void socket.write(Buffer.concat([ok(stream), more(stream)])));
    expect(await outcome()).toBe('ok');
    expect(await outcome()).toBe('ok');
  });

  it('that names other services and origins is not left for them', async () => {
    const origin = Buffer.concat([Buffer.from([0, 0]), Buffer.from('h3=":1"')]);
    await answering((socket, stream) => {
      const fields = headers(stream, [
        [':status', '200'],
        ['alt-svc', 'h3=":1"; ma=3600, h2="127.0.0.1:1"'],
      ]);
      socket.write(Buffer.concat([frame([0x0a], 0, origin), frame([0x0c], 0, origin), fields, last(stream)]));
    });
    for (let count = 0; count < 3; count++) expect(await outcome()).toBe('ok');
    expect(tested.connects.count).toBe(1);
  });

  it('that sends the fields of an HTTP/1.1 connection gives the response without them', async () => {
    const fields: [string, string][] = [
      ['connection', 'close'],
      ['upgrade', 'h2,h2c'],
      ['keep-alive', 'timeout=5'],
      ['proxy-connection', 'close'],
      ['te', 'gzip'],
      ['x', 'y'],
    ];
    await answering((socket, stream) => {
      const hint = headers(stream, [[':status', '103'], ...fields]);
      const body = frame([Frame.data], stream, Buffer.from('ok'));
      const trailers = headers(stream, fields, END_HEADERS | END_STREAM);
      socket.write(Buffer.concat([hint, headers(stream, [[':status', '200'], ...fields]), body, trailers]));
    });
    for (let count = 0; count < 3; count++) {
      const response = await tested.fetch(url(server));
      expect([...response.headers]).toEqual([['x', 'y']]);
      expect(await response.text()).toBe('ok');
    }
    expect(tested.connects.count).toBe(1);
  });

  it('that allows no stream is waited for until the page has enough', async () => {
    await answering(() => {});
    server = await serveRaw(socket => {
      socket.write(setting(3, 0));
      socket.on('data', () => {});
    });
    const signal = AbortSignal.timeout(300);
    expect(await rejection(tested.fetch(url(server), { signal }))).toBe(signal.reason);
  });

  it('that overruns the window of a body on its way up is told so', async () => {
    await answering((socket, stream) => {
      socket.write(many(frame([Frame.windowUpdate], stream, u32(0x7fff_ffff)), 2));
    });
    const body = new ReadableStream<Uint8Array>();
    const error = await rejection(tested.fetch(url(server), { method: 'POST', body }));
    expect(error.code).toBe('ERR_HTTP_PROTOCOL');
  });

  it('that sends a body in single bytes to a reader that stops is held', { timeout: 40_000 }, async () => {
    let left = false;
    await answering((socket, stream) => {
      socket.once('end', () => {
        left = true;
      });
      socket.write(
        Buffer.concat([head(stream), many(frame([Frame.data], stream, Buffer.from('x')), 2_000_000)]),
      );
    });
    const response = await tested.fetch(url(server));
    // Whoever reads in time takes single bytes without end.
    await until(() => left, 30_000);
    expect((await rejection(response.text())).code).toBe('ERR_HTTP_PROTOCOL');
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

  it('that names a field of 4 KiB 5 million times is told by ERR_HTTP_HEADERS_TOO_LARGE', async () => {
    await answering((socket, stream) => void socket.write(bomb(stream)));
    expect(await outcome()).toBe('ERR_HTTP_HEADERS_TOO_LARGE');
  });

  it.each([
    ['pieces', block([['x', long]]), 5_000],
    ['empty pieces', Buffer.alloc(0), 500_000],
  ])('that sends a head in endless %s is told by ERR_HTTP_HEADERS_TOO_LARGE', async (_name, piece, count) => {
    await answering((socket, stream) => {
      const begun = headers(stream, [[':status', '200']], 0);
      socket.write(Buffer.concat([begun, many(frame([Frame.continuation], stream, piece), count)]));
    });
    expect(await outcome()).toBe('ERR_HTTP_HEADERS_TOO_LARGE');
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
