import { describe, expect, it } from 'vitest';
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

let tested: TestClient;
let server: TestServer;

const outcome = () => outcomeOf(tested, url(server));

describe('an http/1.1 server', () => {
  /** Answers each request with these bytes, and ends its side behind them unless it keeps it open. */
  const answering = async (bytes: string, { keepsOpen = false } = {}) => {
    server = await serveRaw(socket => {
      const answer = Buffer.from(bytes, 'latin1');
      if (keepsOpen) socket.on('data', () => void socket.write(answer));
      else socket.once('data', () => socket.end(answer));
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
    ['another coding below the chunks', framed('transfer-encoding: gzip, chunked', '2\r\nok\r\n0\r\n\r\n')],
    ['chunks twice', framed('transfer-encoding: chunked\r\ntransfer-encoding: chunked', '0\r\n\r\n')],
    ['chunks that are not the last coding', framed('transfer-encoding: chunked, identity', 'ok')],
    ['a coding of no known name', framed('transfer-encoding: xchunked', '2\r\nok\r\n0\r\n\r\n')],
    ['lengths in a list that differ', framed('content-length: 2, 3', 'ok')],
    ['an empty length', framed('content-length:', 'ok')],
    ['a bare LF behind a chunk length', chunked('2\nok\r\n0\r\n\r\n')],
    ['a bare LF within a chunk extension', chunked('2;a\nok\r\n0\r\n\r\n')],
    ['a chunk without a length', chunked('\r\nok\r\n0\r\n\r\n')],
    ['a zero byte in the reason', 'HTTP/1.1 200 a\0b\r\ncontent-length: 2\r\n\r\nok'],
    ['an answer in HTTP/1.2', 'HTTP/1.2 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    ['chunks in HTTP/1.0', chunked('2\r\nok\r\n0\r\n\r\n').replace('1.1', '1.0')],
    ['a chunk beyond 64 bits', chunked('fffffffffffffffff\r\nok')],
    ['a negative chunk', chunked('-1\r\nok')],
    ['a chunk longer than it says', chunked('2\r\nokay\r\n0\r\n\r\n')],
    ['an endless chunk extension', chunked(`2;${'x'.repeat(100_000)}`)],
    ['endless trailers', chunked(`2\r\nok\r\n0\r\nx: ${'y'.repeat(1_000_000)}`)],
    ['a zero byte in a field', framed('x: a\0b', '')],
    ['a bare CR in a field', framed('x: a\rb', '')],
    ['a space before the colon of a length', framed('content-length : 2', 'ok')],
    ['a space before the colon of chunks', framed('transfer-encoding : chunked', '2\r\nok\r\n0\r\n\r\n')],
    ['a length without a colon', framed('content-length 2', 'ok')],
    ['a folded length', framed('content-length:\r\n 2', 'ok')],
    ['a length in a fold', framed('x: y\r\n content-length: 2', 'ok')],
    ['chunks and no coding', framed('transfer-encoding: identity, chunked', '2\r\nok\r\n0\r\n\r\n')],
    ['a zero byte in early hints', `HTTP/1.1 103 Early Hints\r\nx: a\0b\r\n\r\n${ok}`],
    ['two CRs', framed('x: a\r\r\ncontent-length: 2', 'ok')],
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
    ['chunk extensions', chunked('2;a=b;c="d e"\r\nok\r\n0;last\r\n\r\n')],
    ['chunks in capitals', framed('Transfer-Encoding: Chunked', '2\r\nok\r\n0\r\n\r\n')],
    ['bare LFs in the head (RFC 9112 section 2.2)', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok'],
    ['empty lines before the head', `\r\n\r\n${ok}`],
    ['no reason', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok'],
    ['a length among the trailers', chunked('2\r\nok\r\n0\r\ncontent-length: 9\r\n\r\n')],
    ['a length in 100 (Continue)', `HTTP/1.1 100 Continue\r\ncontent-length: 5\r\n\r\n${ok}`],
    ['one length twice', framed('content-length: 2\r\ncontent-length: 2', 'ok')],
    ['trailers', chunked('2\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n')],
    ['100 (Continue)', `HTTP/1.1 100 Continue\r\n\r\n${ok}`],
    ['a thousand early hints', `${early.repeat(1000)}${ok}`],
  ])('that sends %s is understood', async (_name, bytes) => {
    await answering(bytes);
    expect(await outcome()).toBe('ok');
  });

  it.each<[string, string, Record<string, string>]>([
    ['a line without a colon', framed('abc\r\nx: y\r\ncontent-length: 2', 'ok'), { x: 'y' }],
    ['an empty field name', framed(': a\r\nx: y\r\ncontent-length: 2', 'ok'), { x: 'y' }],
    ['a space before the colon', framed('x : y\r\ncontent-length: 2', 'ok'), { x: 'y' }],
    ['a name that is none', framed('a(b): c\r\nx: y\r\ncontent-length: 2', 'ok'), { x: 'y' }],
    ['a folded field', framed('x: a\r\n b\r\ncontent-length: 2', 'ok'), { x: 'a b' }],
    ['a fold behind the status', framed(' a: b\r\nx: y\r\ncontent-length: 2', 'ok'), { x: 'y' }],
    ['DEL in a field', framed('x: a\x7fb\r\ncontent-length: 2', 'ok'), { x: 'a\x7fb' }],
    ['control characters', framed('x: a\x01b\x1f\r\ncontent-length: 2', 'ok'), { x: 'a\x01b\x1f' }],
    [
      'identity as transfer coding',
      framed('transfer-encoding: identity\r\nx: y\r\ncontent-length: 2', 'ok'),
      { x: 'y', 'transfer-encoding': 'identity' },
    ],
    [
      'chunks and an odd line',
      framed('transfer-encoding: chunked\r\nabc\r\nx: y', '2\r\nok\r\n0\r\n\r\n'),
      { x: 'y', 'transfer-encoding': 'chunked' },
    ],
    [
      'early hints with odd lines',
      `HTTP/1.1 103 Early Hints\r\nabc\r\nlink : </a>\r\n\r\n${framed('x: y\r\ncontent-length: 2', 'ok')}`,
      { x: 'y' },
    ],
    ['a status line in lower case', `http/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\n\r\nok`, { x: 'y' }],
  ])('that sends %s is understood, and gets no further request', async (_name, bytes, fields) => {
    await answering(bytes, { keepsOpen: true });
    for (let count = 0; count < 3; count++) {
      const response = await tested.fetch(url(server));
      const framing = bytes.includes('content-length') ? { 'content-length': '2' } : {};
      expect(Object.fromEntries(response.headers)).toEqual({ ...framing, ...fields });
      expect([response.status, response.statusText, await response.text()]).toEqual([200, 'OK', 'ok']);
    }
    expect(tested.connects.count).toBe(3);
    await until(() => tested.engine.openCount === 0 && tested.connects.open === 0);
  });

  it('that sends odd lines while a body goes up gets all of it', async () => {
    let received = '';
    server = await serveRaw(socket => {
      socket.once('data', () => socket.write('HTTP/1.1 103 Hints\r\nabc\r\n\r\n'));
      socket.on('data', chunk => {
        received += chunk;
        if (received.endsWith('0\r\n\r\n')) socket.write(framed('abc\r\ncontent-length: 2', 'ok'));
      });
    });
    tested = await client('http/1.1');
    const pieces = ['one', 'two', 'three'];
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await sleep(20);
        const piece = pieces.shift();
        if (piece) controller.enqueue(Buffer.from(piece));
        else controller.close();
      },
    });
    const response = await tested.fetch(url(server), { method: 'POST', body });
    expect(await response.text()).toBe('ok');
    expect(received).toContain('\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n');
    await until(() => tested.engine.openCount === 0);
  });

  it('whose line is refused is told by the line, and is not asked again', async () => {
    let asked = 0;
    server = await serveRaw(socket => {
      socket.on('data', () => void socket.write(++asked === 1 ? ok : framed('Content-Length : 2', 'ok')));
    });
    tested = await client('http/1.1');
    expect(await outcome()).toBe('ok');
    const error = await rejection(tested.fetch(url(server)));
    expect(error.message).toContain('"Content-Length : 2"');
    expect([error.code, asked]).toEqual(['ERR_HTTP_PROTOCOL', 2]);
    await until(() => tested.engine.openCount === 0 && tested.connects.open === 0);
  });

  it.each([
    ['chunks and identity', 'Transfer-Encoding: chunked, identity', 'chunked'],
    [
      'chunks and identity in two lines',
      'x: y\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked',
      'chunked',
    ],
    [
      'identity beside chunks',
      'transfer-encoding: identity\r\nTransfer-Encoding: chunked',
      'transfer-encoding: identity',
    ],
    ['a coding that was not asked for', 'TE: x\r\nTransfer-Encoding: gzip', 'Transfer-Encoding: gzip'],
    ['a length and chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 2', 'Content-Length: 2'],
    ['a length that is none', 'content-Length: +2', 'content-Length: +2'],
    ['an empty length', 'Content-Length: ', 'Content-Length: '],
    ['a length beyond 64 bits', `content-length: ${2n ** 64n}`, `content-length: ${2n ** 64n}`],
    ['lengths in one line', 'content-length: 2, 3', 'content-length: 2, 3'],
    ['lengths in two lines', 'content-length: 2\r\nx: y\r\ncontent-length: 3', 'content-length: 3'],
  ])('whose head leaves its end open by %s is told by the line', async (_name, fields, line) => {
    await answering(framed(fields, 'ok'));
    const error = await rejection(tested.fetch(url(server)));
    expect([error.code, error.message]).toEqual(['ERR_HTTP_PROTOCOL', expect.stringContaining(line)]);
    expect(error.message).toMatch(
      /^HTTP: the line ".+" of the response's head .+, and leaves open where the body ends\. Have /,
    );
  });

  it.each([
    ['no HTTP', 'secret\r\n\r\n', 'does not begin like'],
    ['another version', 'HTTP/1.2 200 OK\r\n\r\n', '"HTTP/1.2 200 OK"'],
    ['no status', 'HTTP/1.1 OK\r\n\r\n', '"HTTP/1.1 OK"'],
    ['chunks in HTTP/1.0', chunked('2\r\nok\r\n').replace('1.1', '1.0'), '"transfer-encoding: chunked"'],
  ])('that begins with %s is told by it', async (_name, bytes, words) => {
    await answering(bytes);
    const { message } = await rejection(tested.fetch(url(server)));
    expect(message).toContain(words);
    expect(message).not.toContain('secret');
  });

  it('that ends within a head is told by ERR_HTTP_TRUNCATED', async () => {
    for (const part of [
      'HTTP',
      'HTTP/1.1 200',
      'HTTP/1.1 200 OK\r\nx: y\r\n',
      'HTTP/1.1 200 OK\r\nx: y\r\n\r',
    ]) {
      await answering(part);
      expect(await outcome(), part).toBe('ERR_HTTP_TRUNCATED');
      tested.close();
      await server.close();
    }
  });

  it('that is no HTTP server is told by ERR_HTTP_PROTOCOL before it ends', async () => {
    await answering('220 mail ESMTP\r\n', { keepsOpen: true });
    expect(await outcome()).toBe('ERR_HTTP_PROTOCOL');
  });

  it.each([
    ['no colon', 'abc'],
    ['no name', ': x'],
    ['a space before the colon', 'content-length : 5'],
    ['a fold', 'x: a\r\n b'],
    ['a zero byte', 'x: a\0b'],
  ])('that sends a trailer with %s gives the body, and gets no further request', async (_name, trailer) => {
    await answering(chunked(`2\r\nok\r\n0\r\n${trailer}\r\n\r\n`), { keepsOpen: true });
    for (let count = 0; count < 3; count++) expect(await outcome()).toBe('ok');
    expect(tested.connects.count).toBe(3);
    await until(() => tested.engine.openCount === 0);
  });

  it('that sends informational responses without end is given up', async () => {
    await answering(early.repeat(50_000));
    expect(await outcome()).toBe('ERR_HTTP_HEADERS_TOO_LARGE');
    await until(() => tested.engine.openCount === 0);
  });

  it.each([
    ['256 fields', 255, 'ok'],
    ['257 fields', 256, 'ERR_HTTP_HEADERS_TOO_LARGE'],
  ])('that sends %s is held to the limit', async (_name, count, expected) => {
    const fields = Array.from({ length: count }, (_, at) => `x${at}: y`);
    await answering(framed([...fields, 'content-length: 2'].join('\r\n'), 'ok'));
    expect(await outcome()).toBe(expected);
  });

  it.each(['head', 'body'])('whose %s trickles is left when the page has enough', async part => {
    const started = part === 'head' ? 'HTTP/1.1 200 OK\r\nx: ' : framed('content-length: 1000', '');
    server = await serveRaw(socket => {
      socket.once('data', () => {
        socket.write(started);
        const trickle = setInterval(() => socket.write('x'), 20);
        socket.once('close', () => clearInterval(trickle));
      });
    });
    tested = await client('http/1.1');
    const signal = AbortSignal.timeout(300);
    const reading = async () => (await tested.fetch(url(server), { signal })).text();
    expect(await rejection(reading())).toBe(signal.reason);
    await until(() => tested.engine.openCount === 0 && server.sockets.size === 0);
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
