import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { endOf, frame, messages, opened, Stage, switching } from './support/servers.js';

const stage = new Stage();
afterEach(() => stage.reset());
afterAll(() => stage.close());

const head = (data: string) => data.slice(0, data.indexOf('\r\n\r\n'));

describe('the handshake', () => {
  it('asks as RFC 6455 has it, with credentials of the address', async () => {
    let request = '';
    const url = await stage.serveRaw((socket, data) => {
      request = head(data);
      socket.write(switching(data));
    });
    const client = await stage.sharedClient();
    await opened(new client.WebSocket(url.replace('//', '//ada:p%40ss@').concat('path?query')));
    const lines = request.toLowerCase().split('\r\n');
    expect(request.split('\r\n')[0]).toBe('GET /path?query HTTP/1.1');
    expect(lines).toEqual(
      expect.arrayContaining([
        `host: ${new URL(url).host}`,
        'connection: upgrade',
        'upgrade: websocket',
        'sec-websocket-version: 13',
        expect.stringMatching(/^sec-websocket-key: [a-z0-9+/]{22}==$/),
        `authorization: basic ${btoa('ada:p@ss')}`.toLowerCase(),
      ]),
    );
    expect(request).not.toMatch(/^(sec-websocket-(extensions|protocol)|content-length|transfer-encoding):/im);
  });

  it('makes another key each time', async () => {
    const keys = new Set<string>();
    const url = await stage.serveRaw((socket, data) => {
      keys.add(/^sec-websocket-key: (.*)\r$/im.exec(data)?.[1] ?? '');
      socket.write(switching(data));
    });
    const client = await stage.sharedClient();
    for (let i = 0; i < 3; i++) await opened(new client.WebSocket(url));
    expect(keys.size).toBe(3);
  });

  const answers: [name: string, answer: (request: string) => string, code: string, message: RegExp][] = [
    [
      'another status',
      () => 'HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno',
      'ERR_WEBSOCKET_HANDSHAKE',
      /403/,
    ],
    ['a status 200', () => 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 'ERR_WEBSOCKET_HANDSHAKE', /200/],
    [
      'a redirect',
      () => 'HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n',
      'ERR_WEBSOCKET_HANDSHAKE',
      /302.*redirects/,
    ],
    ['no Upgrade', it => switching(it, { Upgrade: undefined }), 'ERR_WEBSOCKET_HANDSHAKE', /Upgrade/],
    ['another Upgrade', it => switching(it, { Upgrade: 'h2c' }), 'ERR_WEBSOCKET_HANDSHAKE', /Upgrade/],
    [
      'no Connection',
      it => switching(it, { Connection: undefined }),
      'ERR_WEBSOCKET_HANDSHAKE',
      /Connection/,
    ],
    [
      'no accept',
      it => switching(it, { 'Sec-WebSocket-Accept': undefined }),
      'ERR_WEBSOCKET_HANDSHAKE',
      /Accept/,
    ],
    [
      'a wrong accept',
      it => switching(it, { 'Sec-WebSocket-Accept': 'AAAA' }),
      'ERR_WEBSOCKET_HANDSHAKE',
      /Accept/,
    ],
    [
      'an extension that was not offered',
      it => switching(it, { 'Sec-WebSocket-Extensions': 'permessage-deflate' }),
      'ERR_WEBSOCKET_HANDSHAKE',
      /extension/,
    ],
    [
      'a subprotocol that was not offered',
      it => switching(it, { 'Sec-WebSocket-Protocol': 'chat' }),
      'ERR_WEBSOCKET_HANDSHAKE',
      /subprotocol/,
    ],
    ['no HTTP', () => 'garbage\r\n\r\n', 'ERR_HTTP_PROTOCOL', /HTTP/],
    [
      'a length in an odd line',
      it => switching(it, { 'Content-Length ': '2' }),
      'ERR_HTTP_PROTOCOL',
      /the line "Content-Length : 2"/,
    ],
    ['a zero byte', it => switching(it, { x: 'a\0b' }), 'ERR_HTTP_PROTOCOL', /the line "x:…"/],
    ['a bare CR', it => switching(it, { x: 'a\rb' }), 'ERR_HTTP_PROTOCOL', /the line "x:…"/],
    [
      'a length and chunks',
      it => switching(it, { 'Content-Length': '2', 'Transfer-Encoding': 'chunked' }),
      'ERR_HTTP_PROTOCOL',
      /the line "Transfer-Encoding: chunked" .+ beside "Content-Length: 2"/,
    ],
    [
      'a head without end',
      () => `HTTP/1.1 101 x\r\n${'a: b\r\n'.repeat(300)}`,
      'ERR_HTTP_HEADERS_TOO_LARGE',
      /large/,
    ],
  ];
  it.each(answers)('with %s fails', async (_, answer, code, message) => {
    const url = await stage.serveRaw((socket, request) => socket.write(answer(request)));
    const client = await stage.sharedClient();
    expect(await endOf(new client.WebSocket(url))).toEqual({
      code: 1006,
      reason: '',
      wasClean: false,
      error: code,
      message: expect.stringMatching(message),
    });
  });

  it.each<[string, (answer: string) => string]>([
    ['a line without a colon', it => it.replace('\r\n', '\r\nabc\r\n')],
    ['an empty name', it => it.replace('\r\n', '\r\n: a\r\n')],
    ['spaces before colons', it => it.replace(/^([\w-]+):/gm, '$1 :')],
    ['folds', it => it.replace(/: (\S+)\r\n/g, ':\r\n\t$1\r\n')],
    ['DEL in a value', it => it.replace('\r\n', '\r\nx: a\x7f\r\n')],
    ['identity', it => it.replace('\r\n', '\r\nTransfer-Encoding: identity\r\n')],
    ['a status line in lower case', it => it.replace('HTTP', 'http')],
    ['line feeds alone', it => it.replaceAll('\r', '')],
    ['no reason', it => it.replace(' Switching Protocols', '')],
    ['early hints with an odd line', it => `HTTP/1.1 103 Hints\r\nabc\r\n\r\n${it}`],
  ])('with %s opens, as in browsers', async (_, change) => {
    const url = await stage.serveRaw((socket, request) => {
      socket.write(Buffer.concat([Buffer.from(change(switching(request))), frame(0x81, 'one')]));
    });
    const client = await stage.sharedClient();
    expect(await messages(new client.WebSocket(url), 1)).toEqual(['one']);
  });

  it.each([
    ['none', {}],
    ['another', { 'Sec-WebSocket-Protocol': 'other' }],
  ])('with subprotocols, of which the server takes %s, fails', async (_, fields) => {
    const url = await stage.serveRaw((socket, request) => socket.write(switching(request, fields)));
    const client = await stage.sharedClient();
    const end = await endOf(new client.WebSocket(url, 'chat'));
    expect(end).toMatchObject({ code: 1006, error: 'ERR_WEBSOCKET_HANDSHAKE' });
  });

  it.each([
    // The server has asked for a certificate, and so this may be a refusal.
    ['an end', (socket: TLSSocket) => socket.end(), 'ERR_TLS_CLIENT_CERT_REJECTED'],
    [
      'a cut',
      (socket: TLSSocket) => socket.write('HTTP/1.1 1', () => setTimeout(() => socket.destroy(), 50)),
      'ERR_TLS_TRUNCATED',
    ],
    ['an end in the head', (socket: TLSSocket) => socket.end('HTTP/1.1 101'), 'ERR_HTTP_PROTOCOL'],
  ])('with %s instead of an answer fails', async (_, act, code) => {
    const url = await stage.serveRaw(act);
    const client = await stage.sharedClient();
    expect(await endOf(new client.WebSocket(url))).toMatchObject({ code: 1006, error: code });
  });

  it('may come in pieces, with interim answers, and with messages right behind it', async () => {
    const url = await stage.serveRaw(async (socket, request) => {
      const bytes = Buffer.concat([
        Buffer.from(`HTTP/1.1 100 Continue\r\n\r\n${switching(request)}`),
        frame(0x81, 'one'),
        frame(0x81, 'two'),
      ]);
      for (let start = 0; start < bytes.length; start += 50) {
        socket.write(bytes.subarray(start, start + 50));
        await new Promise(resolve => setTimeout(resolve, 5));
      }
    });
    const client = await stage.sharedClient();
    const socket = new client.WebSocket(url);
    expect(await messages(socket, 2)).toEqual(['one', 'two']);
  });

  it('with interim answers without end fails', async () => {
    const interim = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1_000));
    const url = await stage.serveRaw(socket => {
      const goOn = (error?: Error | null) => {
        if (!error && !socket.destroyed) socket.write(interim, goOn);
      };
      goOn();
    });
    const client = await stage.sharedClient();
    const end = await endOf(new client.WebSocket(url));
    expect(end).toMatchObject({ code: 1006, error: 'ERR_HTTP_HEADERS_TOO_LARGE' });
  });

  it('can be left to wait, and then given up', async () => {
    const sockets: TLSSocket[] = [];
    const url = await stage.serveRaw(socket => void sockets.push(socket));
    const client = await stage.sharedClient();
    const socket = new client.WebSocket(url);
    await expect.poll(() => sockets).toHaveLength(1);
    socket.close();
    expect(await endOf(socket)).toMatchObject({ code: 1006, error: 'ERR_WEBSOCKET_CLOSED' });
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });
});
