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
  rejection,
  serveRaw,
  sleep,
  type TestClient,
  type TestServer,
  url,
} from './support/servers.js';

const PADDED = 8;

let tested: TestClient;
let server: TestServer;

async function answering(answer: (socket: net.Socket, stream: number) => void): Promise<void> {
  server = await serveFrames(answer);
  tested = await client('h2');
}

const failure = () => rejection(tested.fetch(url(server)).then(response => response.text()));
const head = (stream: number) => headers(stream, [[':status', '200']]);
const last = (stream: number) => frame([Frame.data, END_STREAM], stream, Buffer.from('ok'));
const ok = (stream: number) => Buffer.concat([head(stream), last(stream)]);
const setting = (id: number, value: number) =>
  frame([Frame.settings], 0, Buffer.concat([Buffer.from([0, id]), u32(value)]));
const coded = (stream: number, ...parts: (number[] | Buffer)[]) =>
  frame([Frame.headers, END_HEADERS], stream, Buffer.concat(parts.map(part => Buffer.from(part))));
const away = (stream: number, code = 0, data = '') =>
  frame([Frame.goAway], 0, Buffer.concat([u32(stream), u32(code), Buffer.from(data)]));
/** No library, no code of ours, and nothing that the server wrote but a field's name. */
const FORM = /^HTTP\/2: [a-z].+\. Have the server send valid HTTP\/2, or no h2 by ALPN\.$/;

type Fields = [name: string, value: string][];

describe('an h2 server is told what is wrong with', () => {
  it.each<[string, Fields, string]>([
    [
      'a name in upper case',
      [
        [':status', '200'],
        ['Upper', 'secret'],
      ],
      'the name of the field "Upper" has upper-case',
    ],
    [
      'a name with a space',
      [
        [':status', '200'],
        ['a b', 'secret'],
      ],
      'the name of the field "a b" has characters',
    ],
    [
      'a name with octets',
      [
        [':status', '200'],
        ['a\xff', 'secret'],
      ],
      'the name of the field "a\\xff" has characters',
    ],
    [
      'a name with a colon',
      [
        [':status', '200'],
        ['a:', 'secret'],
      ],
      'the name of the field "a:" has characters',
    ],
    [
      'an empty name',
      [
        [':status', '200'],
        ['', 'secret'],
      ],
      'a field has no name',
    ],
    [
      'a line break in a value',
      [
        [':status', '200'],
        ['x', 'secret\r\nb: c'],
      ],
      'the value of the field "x" has control',
    ],
    [
      'a zero byte in a value',
      [
        [':status', '200'],
        ['x', 'secret\0'],
      ],
      'the value of the field "x" has control',
    ],
    [
      'DEL in a value',
      [
        [':status', '200'],
        ['x', 'secret\x7f'],
      ],
      'the value of the field "x" has control',
    ],
    [
      'an unknown pseudo-header field',
      [
        [':status', '200'],
        [':secure', 'secret'],
      ],
      '":secure" is not known',
    ],
    [
      'a pseudo-header field behind others',
      [
        ['x', 'secret'],
        [':status', '200'],
      ],
      '":status" comes behind',
    ],
    [
      'two statuses',
      [
        [':status', '200'],
        [':status', '201'],
      ],
      '":status" comes twice',
    ],
    ['no status', [['x', 'secret']], 'a head has no status'],
    ['no field at all', [], 'a head has no status'],
    ['a status of letters', [[':status', 'abc']], 'the status is not a number'],
    ['a status of two digits', [[':status', '20']], 'the status is not a number'],
    [
      'chunks',
      [
        [':status', '200'],
        ['transfer-encoding', 'chunked'],
      ],
      '"transfer-encoding" is for HTTP/1.1',
    ],
    [
      'a length that is none',
      [
        [':status', '200'],
        ['content-length', 'secret'],
      ],
      'the content-length is not a number',
    ],
    [
      'a signed length',
      [
        [':status', '200'],
        ['content-length', '+2'],
      ],
      'the content-length is not a number',
    ],
    [
      'two lengths',
      [
        [':status', '200'],
        ['content-length', '2'],
        ['content-length', '3'],
      ],
      'two lengths that differ',
    ],
  ])('%s in a head', async (_name, fields, words) => {
    await answering((socket, stream) => {
      socket.write(Buffer.concat([headers(stream, fields), last(stream)]));
    });
    const { code, message } = (await failure()) as Error & { code?: string };
    expect([code, message]).toEqual(['ERR_HTTP_PROTOCOL', expect.stringContaining(words)]);
    expect(message).toMatch(FORM);
    expect(message).not.toContain('secret');
  });

  const name = (text: string) => block([[text, 'x']]).subarray(0, text.length + 2);
  it.each<[string, (stream: number) => Buffer, string]>([
    [
      'a name in Huffman code',
      it => coded(it, [0x88, 0, 0x84, 0xe1, 0x5d, 0x65, 0xb3, 1, 0x61]),
      '"Upper" has upper-case',
    ],
    [
      'a control character in Huffman code',
      it => coded(it, [0x88, 0, 1, 0x78, 0x86, 0x1f, 0xff, 0xff, 0xff, 0x91, 0xff]),
      '"x" has control',
    ],
    ['an index of zero', it => coded(it, [0x88, 0x80]), 'compression'],
    ['an index beyond the table', it => coded(it, [0x88, 0xfe]), 'compression'],
    ['a table larger than allowed', it => coded(it, [0x3f, 0xe1, 0xff, 0x03, 0x88]), 'compression'],
    ['a number without end', it => coded(it, [0x88, 0x7f, ...Array(40).fill(0xff)]), 'compression'],
    ['a text that is cut', it => coded(it, [0x88], name('x'), [9]), 'compression'],
    ['a status by its name in the table', it => coded(it, [0x48, 2, 0x32, 0x30]), 'the status is not'],
    ['chunks by their name in the table', it => coded(it, [0x88, 0x0f, 42, 1, 0x78]), 'is for HTTP/1.1'],
    ['a length by its name in the table', it => coded(it, [0x88, 0x0f, 13, 1, 0x78]), 'not a number'],
    ['a scheme behind others', it => coded(it, [0x88, 0x60, 1, 0x78, 0x87]), 'comes behind'],
  ])('%s', async (_name, bytes, words) => {
    await answering((socket, stream) => void socket.write(bytes(stream)));
    const { message } = await failure();
    expect(message).toContain(words);
    expect(message).toMatch(FORM);
  });

  it.each<[string, (stream: number) => Buffer, string]>([
    [
      'a frame that is too large',
      it => frame([Frame.data], it, Buffer.alloc(20_000)),
      'longer than was allowed',
    ],
    [
      'a RST_STREAM of three bytes',
      it => frame([Frame.rstStream], it, Buffer.alloc(3)),
      'the length of its type',
    ],
    ['SETTINGS of five bytes', () => frame([Frame.settings], 0, Buffer.alloc(5)), 'the length of its type'],
    ['a PING of seven bytes', () => frame([Frame.ping], 0, Buffer.alloc(7)), 'the length of its type'],
    ['a GOAWAY of four bytes', () => frame([Frame.goAway], 0, Buffer.alloc(4)), 'the length of its type'],
    [
      'a WINDOW_UPDATE of three',
      () => frame([Frame.windowUpdate], 0, Buffer.alloc(3)),
      'the length of its type',
    ],
    ['a PRIORITY of four', it => frame([2], it, Buffer.alloc(4)), 'the length of its type'],
    [
      'an acknowledgement with settings',
      () => frame([Frame.settings, ACK], 0, Buffer.alloc(6)),
      'the length of its type',
    ],
    ['a head on no stream', () => headers(0, [[':status', '200']]), 'is on the connection'],
    ['a body on no stream', () => frame([Frame.data], 0, Buffer.from('x')), 'is on the connection'],
    ['a RST_STREAM on no stream', () => frame([Frame.rstStream], 0, u32(0)), 'is on the connection'],
    ['SETTINGS on a stream', it => frame([Frame.settings], it), 'is on the connection'],
    ['a PING on a stream', it => frame([Frame.ping], it, Buffer.alloc(8)), 'is on the connection'],
    ['a GOAWAY on a stream', it => frame([Frame.goAway], it, Buffer.alloc(8)), 'is on the connection'],
    [
      'padding beyond the frame',
      it => frame([Frame.headers, PADDED | END_HEADERS], it, Buffer.from([9, 0x88])),
      'padding',
    ],
    [
      'a head that is interrupted',
      it => Buffer.concat([headers(it, [[':status', '200']], 0), last(it)]),
      'interrupted',
    ],
    [
      'a head that goes on elsewhere',
      it =>
        Buffer.concat([
          headers(it, [[':status', '200']], 0),
          frame([Frame.continuation, END_HEADERS], it + 2),
        ]),
      'interrupted',
    ],
    ['a head that never began', it => frame([Frame.continuation, END_HEADERS], it), 'without having begun'],
    [
      'a push',
      it => frame([Frame.pushPromise, END_HEADERS], it, Buffer.concat([u32(2), block([[':method', 'GET']])])),
      'pushes',
    ],
    ['a head on a stream of its own', () => headers(2, [[':status', '200']]), 'never opened'],
    ['a head on a later stream', it => headers(it + 20, [[':status', '200']]), 'never opened'],
    ['a reset of a later stream', () => frame([Frame.rstStream], 99, u32(8)), 'never opened'],
    ['a body on a later stream', () => frame([Frame.data], 99, Buffer.from('x')), 'never opened'],
    ['growth of a later stream', () => frame([Frame.windowUpdate], 99, u32(1)), 'never opened'],
    ['too large a window', () => setting(4, 0x8000_0000), "a setting's value"],
    ['too small a frame', () => setting(5, 100), "a setting's value"],
    ['half a push', () => setting(2, 2), "a setting's value"],
    [
      'settings acknowledged again',
      () => Buffer.concat(Array(3).fill(frame([Frame.settings, ACK], 0))),
      'never sent',
    ],
    ['growth by nothing', () => frame([Frame.windowUpdate], 0, u32(0)), 'adds nothing'],
    ['growth of a stream by nothing', it => frame([Frame.windowUpdate], it, u32(0)), 'adds nothing'],
    [
      'growth beyond the limit',
      () => Buffer.concat(Array(2).fill(frame([Frame.windowUpdate], 0, u32(0x7fff_ffff)))),
      'above its limit',
    ],
    [
      'a stream that depends on itself',
      it => frame([2], it, Buffer.concat([u32(it), Buffer.from([0])])),
      'depends on itself',
    ],
    ['a GOAWAY behind an earlier one', it => Buffer.concat([away(it), away(it + 4)]), 'takes back'],
    ['a body before its head', it => Buffer.concat([frame([Frame.data], it), ok(it)]), 'before its head'],
    [
      'early hints that end',
      it => headers(it, [[':status', '103']], END_HEADERS | END_STREAM),
      'informational',
    ],
    ['two heads', it => Buffer.concat([head(it), head(it), last(it)]), 'trailers have pseudo-header fields'],
    [
      'trailers that do not end',
      it => Buffer.concat([head(it), headers(it, [['x', '1']]), last(it)]),
      'goes on behind',
    ],
    [
      'upper case in trailers',
      it => Buffer.concat([head(it), headers(it, [['X-A', '1']], END_HEADERS | END_STREAM)]),
      '"X-A" has upper-case',
    ],
    [
      'a body in single bytes',
      it => Buffer.concat([head(it), Buffer.concat(Array(200_000).fill(frame([Frame.data], it)))]),
      'too many small frames',
    ],
  ])('%s', async (_name, bytes, words) => {
    await answering((socket, stream) => void socket.write(bytes(stream)));
    const { code, message } = (await failure()) as Error & { code?: string };
    expect([code, message]).toEqual(['ERR_HTTP_PROTOCOL', expect.stringContaining(words)]);
    expect(message).toMatch(FORM);
  });

  it('frames that come byte by byte, in pieces and with padding', async () => {
    const padded = Buffer.concat([
      Buffer.from([3, 0, 0, 0, 0, 7, 0x88]),
      name('Upper'),
      Buffer.from([1, 0x78, 0, 0, 0]),
    ]);
    const bytes = (stream: number) => [
      frame([Frame.headers, PADDED | 32], stream, padded),
      frame([Frame.continuation, END_HEADERS], stream, block([['y', 'z']])),
    ];
    for (const size of [1, 3, 1000]) {
      await answering(async (socket, stream) => {
        const all = Buffer.concat(bytes(stream));
        for (let at = 0; at < all.length; at += size) {
          socket.write(all.subarray(at, at + size));
          await sleep(1);
        }
      });
      expect((await failure()).message).toContain('"Upper"');
      tested.close();
      await server.close();
    }
  });

  it('each of two answers that come at once', async () => {
    const waiting: number[] = [];
    await answering((socket, stream) => {
      waiting.push(stream);
      const [first, second] = waiting;
      if (!first || !second) return;
      const late: Fields = [
        ['x', 'y'],
        [':status', '200'],
      ];
      socket.write(Buffer.concat([headers(first, [['x', 'y']]), headers(second, late)]));
    });
    const failures = [failure()];
    await sleep(50);
    failures.push(failure());
    const [first, second] = await Promise.all(failures);
    expect(first?.message).toContain('no status');
    expect(second?.message).toContain('comes behind');
  });

  it('a body beyond its window', async () => {
    await answering((socket, stream) => {
      const data = frame([Frame.data], stream, Buffer.alloc(16_384));
      socket.write(Buffer.concat([head(stream), ...Array(100).fill(data)]));
    });
    const response = await tested.fetch(url(server));
    await sleep(300);
    const { message } = await rejection(response.text());
    expect(message).toContain('a body is longer than its window allows');
    expect(message).toMatch(FORM);
  });

  it('an answer that is not HTTP/2', async () => {
    server = await serveRaw(socket => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    tested = await client('h2');
    expect((await failure()).message).toMatch(FORM);
  });
});

describe('an h2 server that gives a request up', () => {
  const names = [
    ...[
      'NO_ERROR',
      'PROTOCOL_ERROR',
      'INTERNAL_ERROR',
      'FLOW_CONTROL_ERROR',
      'SETTINGS_TIMEOUT',
      'STREAM_CLOSED',
    ],
    ...[
      'FRAME_SIZE_ERROR',
      'REFUSED_STREAM',
      'CANCEL',
      'COMPRESSION_ERROR',
      'CONNECT_ERROR',
      'ENHANCE_YOUR_CALM',
    ],
    ...['INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED', 'unknown'],
  ];
  const cases = names.map((name, code) => [name, code] as const);

  it.each(cases.filter(([, code]) => code !== 13))('with %s is quoted', async (name, code) => {
    await answering((socket, stream) => void socket.write(frame([Frame.rstStream], stream, u32(code))));
    const error = await failure();
    expect(error.message).toMatch(
      /^HTTP\/2: the server gave the request up: [a-z].+\. See the server's log for more\.$/,
    );
    expect(error.message).toContain(`(error code ${code}, ${name})`);
    expect(error.code).toBe('ERR_HTTP_RESET');
  });

  it.each(cases)('with %s in the middle of its answer is quoted', async (name, code) => {
    await answering((socket, stream) => {
      socket.write(head(stream));
      setTimeout(() => socket.write(frame([Frame.rstStream], stream, u32(code))), 30);
    });
    const error = await failure();
    // hyper takes it for an end, as it does with CANCEL behind data.
    if (code === 0) expect(error.message).toMatch(/before its end, by NO_ERROR or CANCEL\. See /);
    else expect(error.message).toContain(`(error code ${code}, ${name})`);
    expect(error.code).toBe('ERR_HTTP_RESET');
  });

  it.each(cases)(
    'with a GOAWAY of %s is quoted, without its text',
    { timeout: 40_000 },
    async (name, code) => {
      await answering(socket => void socket.write(away(0, code, 'secret')));
      const error = await failure();
      expect(error.message).toMatch(
        /^HTTP\/2: the server closes the connection: [a-z].+\. See the server's log for more\.$/,
      );
      expect(error.message).toContain(`(error code ${code}, ${name})`);
      expect(error.message).not.toContain('secret');
    },
  );
});
