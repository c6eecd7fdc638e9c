import type net from 'node:net';
import { describe, expect, it } from 'vitest';
import { END_HEADERS, END_STREAM, Frame, frame, headers, serveFrames, u32 } from '../support/h2-frames.js';
import { client, rejection, serveRaw, sleep, until, url } from '../support/servers.js';

/** More than is read ahead of the page. */
const H2_ANSWER = Buffer.alloc(600_000, 'x');
/** And not more than the connection is read ahead of the page: the rest would be lost in its socket. */
const H1_ANSWER = Buffer.alloc(150_000, 'x');

/** An upload that waits for its second piece until it is cancelled. */
function unfinished() {
  const upload = { cancelled: false, stream: new ReadableStream<Uint8Array>() };
  upload.stream = new ReadableStream<Uint8Array>({
    start: controller => controller.enqueue(new Uint8Array(1000)),
    cancel: () => {
      upload.cancelled = true;
    },
  });
  return upload;
}

type Ending = [name: string, end: (socket: net.Socket, stream: number) => void];
const endings: Ending[] = [
  ['a reset connection', socket => void socket.resetAndDestroy()],
  ['a closed connection', socket => void socket.end()],
];
const h2Endings: Ending[] = [0, 2, 8].map(code => [
  `RST_STREAM ${code}`,
  (socket, stream) => void socket.write(frame([Frame.rstStream], stream, u32(code))),
]);
h2Endings.push([
  'GOAWAY and a closed connection',
  (socket, stream) => void socket.end(frame([Frame.goAway], 0, Buffer.concat([u32(stream), u32(0)]))),
]);

function pieces(stream: number, announced: [string, string][], trailers: boolean): Buffer {
  const parts = [headers(stream, [[':status', '200'], ...announced])];
  for (let at = 0; at < H2_ANSWER.length; at += 16_000) {
    const ends = at + 16_000 >= H2_ANSWER.length && !trailers;
    parts.push(frame([Frame.data, ends ? END_STREAM : 0], stream, H2_ANSWER.subarray(at, at + 16_000)));
  }
  if (trailers) parts.push(headers(stream, [['x', 'y']], END_HEADERS | END_STREAM));
  return Buffer.concat(parts);
}

describe('an answer beside an upload that is not finished is whole', () => {
  const forms: [name: string, announced: [string, string][], trailers: boolean][] = [
    ['without a length', [], false],
    ['with its length', [['content-length', `${H2_ANSWER.length}`]], false],
    ['with trailers', [], true],
  ];
  const h2 = [...endings, ...h2Endings].flatMap(([ending, end]) =>
    forms.map(([form, announced, trailers]) => ({ form, ending, end, announced, trailers })),
  );

  it.each(h2)('over h2, $form, before $ending', async ({ end, announced, trailers }) => {
    let finish = () => {};
    const server = await serveFrames((socket, stream) => {
      socket.write(pieces(stream, announced, trailers));
      finish = () => end(socket, stream);
    });
    const tested = await client('h2');
    const upload = unfinished();
    const response = await tested.fetch(url(server), { method: 'POST', body: upload.stream });
    await until(() => tested.connects.receivedBytes() > H2_ANSWER.length);
    await sleep(20);
    finish();
    await until(() => upload.cancelled);
    expect(Buffer.from(await response.arrayBuffer()).equals(H2_ANSWER)).toBe(true);
  });

  const framings: [name: string, answer: Buffer][] = [
    ['by its length', Buffer.concat([Buffer.from(`content-length: ${H1_ANSWER.length}\r\n\r\n`), H1_ANSWER])],
    [
      'by chunks',
      Buffer.concat([
        Buffer.from(`transfer-encoding: chunked\r\n\r\n${H1_ANSWER.length.toString(16)}\r\n`),
        H1_ANSWER,
        Buffer.from('\r\n0\r\n\r\n'),
      ]),
    ],
  ];
  const h1 = endings.flatMap(([ending, end]) =>
    framings.map(([framing, answer]) => ({ framing, answer, ending, end })),
  );

  it.each(h1)('over HTTP/1.1, $framing, before $ending', async ({ answer, end }) => {
    let finish = () => {};
    const server = await serveRaw(socket => {
      socket.once('data', () => {
        socket.write(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n'), answer]));
        finish = () => end(socket, 0);
      });
    });
    const tested = await client('http/1.1');
    const upload = unfinished();
    const response = await tested.fetch(url(server), { method: 'POST', body: upload.stream });
    await until(() => tested.connects.receivedBytes() > H1_ANSWER.length);
    await sleep(20);
    finish();
    await sleep(50);
    expect(Buffer.from(await response.arrayBuffer()).equals(H1_ANSWER)).toBe(true);
    await until(() => upload.cancelled);
  });

  it('not where it is cut: that fails behind what came', async () => {
    const server = await serveFrames((socket, stream) => {
      socket.write(headers(stream, [[':status', '200']]));
      socket.write(frame([Frame.data], stream, Buffer.from('part')));
    });
    const tested = await client('h2');
    const { body } = await tested.fetch(url(server), { method: 'POST', body: unfinished().stream });
    const reader = body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('part');
    for (const socket of server.sockets) socket.resetAndDestroy();
    expect((await rejection(reader?.read() ?? Promise.resolve())).code).toBe('ERR_TLS_TRUNCATED');
  });
});
