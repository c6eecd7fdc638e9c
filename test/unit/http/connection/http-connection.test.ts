import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { MtlsError } from '../../../../src/errors.js';
import type { TransportInfo } from '../../../../src/http/connection-info.js';
import { upgrade } from '../../../../src/http/upgrade.js';
import {
  answering,
  client,
  ok,
  rejection,
  serve,
  serveRaw,
  sleep,
  type TestClient,
  type TestServer,
  until,
  url,
} from '../support/servers.js';

let tested: TestClient;
let server: TestServer;

describe('what ends a response over http/1.1', () => {
  const cases: [name: string, bytes: string, end: 'fin' | 'reset', code: string, stage: 'head' | 'body'][] = [
    ['an end before the response', '', 'fin', 'ERR_HTTP_CLOSED', 'head'],
    ['a cut before the response', '', 'reset', 'ERR_TLS_TRUNCATED', 'head'],
    ['an end within the head', 'HTTP/1.1 200 OK\r\nx: ', 'fin', 'ERR_HTTP_TRUNCATED', 'head'],
    ['an end within a body of known length', `${ok.slice(0, -1)}`, 'fin', 'ERR_HTTP_TRUNCATED', 'body'],
    ['a cut within a body of known length', `${ok.slice(0, -1)}`, 'reset', 'ERR_TLS_TRUNCATED', 'body'],
    [
      'an end within a chunked body',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe',
      'fin',
      'ERR_HTTP_TRUNCATED',
      'body',
    ],
    [
      'a cut of a body without a length',
      'HTTP/1.1 200 OK\r\n\r\nhello',
      'reset',
      'ERR_TLS_TRUNCATED',
      'body',
    ],
    [
      'bad chunks',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n',
      'fin',
      'ERR_HTTP_PROTOCOL',
      'body',
    ],
    ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'fin', 'ERR_HTTP_PROTOCOL', 'head'],
    [
      'a split head',
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
      'fin',
      'ERR_HTTP_PROTOCOL',
      'head',
    ],
    [
      'an endless head',
      `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(600_000)}`,
      'fin',
      'ERR_HTTP_HEADERS_TOO_LARGE',
      'head',
    ],
    [
      'a status of four digits',
      'HTTP/1.1 1000 What\r\ncontent-length: 0\r\n\r\n',
      'fin',
      'ERR_HTTP_PROTOCOL',
      'head',
    ],
  ];
  for (const [name, bytes, end, code, stage] of cases) {
    it(`${name} is ${code}`, async () => {
      server = await answering(socket => {
        socket.write(bytes, () => {
          if (end === 'fin') socket.end();
          else setTimeout(() => socket.resetAndDestroy(), 30);
        });
      });
      tested = await client('http/1.1');
      const fetching = tested.fetch(url(server));
      const error =
        stage === 'head' ? await rejection(fetching) : await rejection((await fetching).arrayBuffer());
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe(code);
      expect(error.cause).toBeInstanceOf(MtlsError);
      expect(tested.connects.count).toBe(1);
      await until(() => tested.engine.openCount === 0);
    });
  }

  it('a body without a length may end with the connection', async () => {
    server = await answering(socket => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'));
    tested = await client('http/1.1');
    expect(await (await tested.fetch(url(server))).text()).toBe('hello');
    await until(() => tested.engine.openCount === 0);
  });

  it('an informational response is not the response', async () => {
    server = await answering(socket => socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ok}`));
    tested = await client('http/1.1');
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
  });

  it('the response counts although the server stops reading the body', async () => {
    server = await answering(socket => {
      socket.pause();
      socket.write('HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig');
      setTimeout(() => socket.end(), 20);
    });
    tested = await client('http/1.1');
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await sleep(0);
        controller.enqueue(new Uint8Array(10_000));
      },
    });
    const response = await tested.fetch(url(server), { method: 'POST', body });
    expect(response.status).toBe(413);
    expect(await response.text()).toBe('big');
    await until(() => tested.engine.openCount === 0);
  });
});

describe('h2', () => {
  const beginning = async (behave: Parameters<typeof serve>[1]) => {
    server = await serve('h2', behave);
    tested = await client('h2');
  };

  it('a stream that the server resets fails alone', async () => {
    await beginning((request, response) => {
      if (request.url !== '/reset') return void response.end('ok');
      response.write('part');
      setTimeout(
        () => (response as unknown as { stream: { close(code: number): void } }).stream.close(2),
        10,
      );
    });
    const response = await tested.fetch(url(server, '/reset'));
    expect((await rejection(response.text())).code).toBe('ERR_HTTP_RESET');
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
    expect(tested.connects.count).toBe(1);
  });

  it('a refused stream is sent again, even a POST', async () => {
    let asked = 0;
    await beginning((request, response) => {
      request.resume();
      if (++asked === 1) (response as unknown as { stream: { close(code: number): void } }).stream.close(7);
      else response.end('ok');
    });
    expect(await (await tested.fetch(url(server), { method: 'POST', body: 'x' })).text()).toBe('ok');
    expect(asked).toBe(2);
  });

  it('a connection cut in the middle fails all its requests, and the next gets another', async () => {
    await beginning((request, response) => {
      if (request.url === '/body') response.write('part');
      else if (request.url === '/ok') response.end('ok');
    });
    await (await tested.fetch(url(server, '/ok'))).text();
    const response = await tested.fetch(url(server, '/body'));
    const waiting = rejection(tested.fetch(url(server, '/never'), { method: 'POST' }));
    await sleep(50);
    for (const socket of server.sockets) socket.resetAndDestroy();
    expect((await rejection(response.text())).code).toBe('ERR_TLS_TRUNCATED');
    expect((await waiting).code).toBe('ERR_TLS_TRUNCATED');
    expect(await (await tested.fetch(url(server, '/ok'))).text()).toBe('ok');
    expect(tested.connects.count).toBe(2);
  });

  it('after GOAWAY, running requests end and new ones go elsewhere', async () => {
    await beginning((request, response) => {
      if (request.url === '/slow') {
        response.write('a');
        const { session } = (response as unknown as { stream: { session: { goaway(): void } } }).stream;
        session.goaway();
        setTimeout(() => response.end('b'), 100);
      } else response.end('ok');
    });
    const slow = await tested.fetch(url(server, '/slow'));
    await sleep(20);
    const next = tested.fetch(url(server), { method: 'POST', body: new Blob(['x']).stream() });
    expect(await (await next).text()).toBe('ok');
    expect(await slow.text()).toBe('ab');
    expect(tested.connects.count).toBe(2);
  });

  it('a request that GOAWAY refuses as it begins leaves nothing behind', async () => {
    let finish = () => {};
    await beginning((request, response) => {
      if (request.url !== '/slow') return void response.end('ok');
      response.write('a');
      const { session } = (response as unknown as { stream: { session: { goaway(): void } } }).stream;
      session.goaway();
      finish = () => response.end('b');
    });
    const slow = await tested.fetch(url(server, '/slow'));
    await sleep(20);
    const { signal } = new AbortController();
    const next = await tested.fetch(url(server), { signal });
    expect(await next.text()).toBe('ok');
    finish();
    expect(await slow.text()).toBe('ab');
    tested.pool.closeIdle();
    await until(() => tested.engine.openCount === 0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('an http/1.1 answer on an h2 connection is a protocol error', async () => {
    server = await serveRaw(socket => {
      socket.on('data', () => {});
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    tested = await client('h2');
    expect((await rejection(tested.fetch(url(server)))).code).toBe('ERR_HTTP_PROTOCOL');
    await until(() => tested.engine.openCount === 0);
  });
});

describe('an engine that fails', () => {
  it('fails the requests in progress and all that follow', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    server = await serve('h2', request => void request.on('error', () => {}).resume());
    tested = await client('h2');
    let cancelled: unknown;
    const body = new ReadableStream<Uint8Array>({
      pull: async () => void (await sleep(1_000)),
      start: controller => controller.enqueue(new Uint8Array(10)),
      cancel: reason => {
        cancelled = reason;
      },
    });
    const uploading = rejection(tested.fetch(url(server), { method: 'POST', body }));
    await until(() => tested.connects.open === 1);
    await sleep(50);
    // Asks for more than the memory can ever hold.
    const bomb = { length: -1 } as unknown as Uint8Array;
    expect(() => tested.engine.receive(1, [bomb])).toThrow();
    expect(await uploading).toMatchObject({ code: 'ERR_ENGINE_FAILED' });
    expect(cancelled).toMatchObject({ code: 'ERR_ENGINE_FAILED' });
    expect(await rejection(tested.fetch(url(server)))).toMatchObject({ code: 'ERR_ENGINE_FAILED' });
    await until(() => tested.connects.open === 0);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

it('a connection is given up that an engine which has failed cannot upgrade', async () => {
  const { engine } = await client('http/1.1');
  const bomb = { length: -1 } as unknown as Uint8Array;
  expect(() => engine.receive(1, [bomb])).toThrow();
  const ends: string[] = [];
  const transport = {
    readable: new ReadableStream<Uint8Array>({ cancel: () => void ends.push('cancel') }),
    writable: new WritableStream<Uint8Array>({ abort: () => void ends.push('abort') }),
    info: {} as TransportInfo,
  };
  const { signal } = new AbortController();
  const upgrading = upgrade(engine, transport, { url: new URL('https://localhost/'), headers: [], signal });
  expect(await rejection(upgrading)).toMatchObject({ code: 'ERR_ENGINE_FAILED' });
  expect(ends.sort()).toEqual(['abort', 'cancel']);
});
