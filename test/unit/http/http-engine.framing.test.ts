import { describe, expect, it } from 'vitest';
import {
  bodyOf,
  client,
  rejection,
  serve,
  serveRaw,
  type TestClient,
  type TestServer,
  until,
  url,
} from './support/servers.js';

let tested: TestClient;
let server: TestServer;

/** An HTTP/1.1 server that gives each request this answer, and leaves the connection as it is. */
async function answering(bytes: string): Promise<void> {
  server = await serveRaw(socket => {
    socket.on('data', () => void socket.write(bytes, 'latin1'));
  });
  tested = await client('http/1.1');
}

const get = async (init?: RequestInit) => {
  const response = await tested.fetch(url(server), init);
  return { status: response.status, text: await response.text() };
};

describe('an http/1.1 connection', () => {
  const fields = 'content-length: 2\r\n';

  it.each([
    ['HTTP/1.1', `HTTP/1.1 200 OK\r\n${fields}\r\nok`, 1],
    ['HTTP/1.1 with Connection: close', `HTTP/1.1 200 OK\r\n${fields}connection: close\r\n\r\nok`, 3],
    ['HTTP/1.1 with close in a list', `HTTP/1.1 200 OK\r\n${fields}connection: x, Close\r\n\r\nok`, 3],
    ['HTTP/1.0', `HTTP/1.0 200 OK\r\n${fields}\r\nok`, 3],
    [
      'HTTP/1.0 with Connection: keep-alive',
      `HTTP/1.0 200 OK\r\n${fields}connection: keep-alive\r\n\r\nok`,
      1,
    ],
  ])('over which %s was spoken serves three requests as it should', async (_name, bytes, connections) => {
    await answering(bytes);
    for (let count = 0; count < 3; count++) {
      expect(await get({ method: 'POST' })).toEqual({ status: 200, text: 'ok' });
    }
    expect(server.accepted).toBe(connections);
    await until(() => tested.engine.openCount === (connections === 1 ? 1 : 0));
  });

  it.each([
    ['a HEAD', 'HEAD', `HTTP/1.1 200 OK\r\n${fields}\r\n`],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['304', 'GET', `HTTP/1.1 304 Not Modified\r\n${fields}\r\n`],
    ['a 200 of no length', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
  ])('is used again after %s', async (_name, method, bytes) => {
    await answering(bytes);
    for (let count = 0; count < 3; count++) expect((await get({ method })).text).toBe('');
    expect(server.accepted).toBe(1);
  });

  it.each([
    ['a HEAD', 'HEAD', `HTTP/1.1 200 OK\r\n${fields}\r\nok`],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\nok'],
    ['304', 'GET', `HTTP/1.1 304 Not Modified\r\n${fields}\r\nok`],
  ])('is left after a body behind %s, which may have none', async (_name, method, bytes) => {
    await answering(bytes);
    for (let count = 0; count < 3; count++) {
      expect((await get({ method })).text).toBe('');
      await until(() => tested.engine.openCount === 0);
    }
    expect(server.accepted).toBe(3);
  });
});

describe.each(['h2', 'http/1.1'] as const)('over %s', protocol => {
  it('421 (Misdirected Request) is the answer: each connection is for its origin alone', async () => {
    let asked = 0;
    server = await serve(protocol, (_, response) => {
      asked++;
      response.writeHead(421).end('elsewhere');
    });
    tested = await client(protocol);
    expect(await get()).toEqual({ status: 421, text: 'elsewhere' });
    expect(asked).toBe(1);
  });

  it('408 (Request Timeout) is the answer, and the request is not sent again', async () => {
    let asked = 0;
    server = await serve(protocol, (request, response) => {
      asked++;
      request.resume();
      response.writeHead(408).end('late');
    });
    tested = await client(protocol);
    expect(await get({ method: 'POST', body: 'x' })).toEqual({ status: 408, text: 'late' });
    expect(asked).toBe(1);
  });

  it('Alt-Svc leads nowhere', async () => {
    const alternatives = 'h3=":1"; ma=3600, h2="127.0.0.1:1"';
    server = await serve(protocol, (_, response) =>
      response.writeHead(200, { 'alt-svc': alternatives }).end('ok'),
    );
    tested = await client(protocol);
    for (let count = 0; count < 3; count++) expect((await get()).text).toBe('ok');
    expect(server.accepted).toBe(1);
  });

  it('what a page puts into fields and methods splits no request', async () => {
    let asked = 0;
    server = await serve(protocol, (_, response) => {
      asked++;
      response.end();
    });
    tested = await client(protocol);
    const bad: RequestInit[] = [
      ...['a\r\nb: c', 'a\nb', 'a\rb', 'a\0b'].map(value => ({ headers: { x: value } })),
      ...['x\r\ny', 'x: y', 'x\0', ''].map(name => ({ headers: [[name, 'v']] as [string, string][] })),
      ...['GET / HTTP/1.1\r\nx:', 'GET\n', 'CONNECT', 'connect', 'TRACE', 'Trace', 'TRACK'].map(method => ({
        method,
      })),
    ];
    for (const init of bad) {
      const error = await rejection(tested.fetch(url(server), init));
      expect(error, JSON.stringify(init)).toBeInstanceOf(TypeError);
      expect(error.code).toBeUndefined();
    }
    expect([asked, tested.connects.count]).toEqual([0, 0]);
  });

  it('a line break in an address is none in the request', async () => {
    const paths: (string | undefined)[] = [];
    server = await serve(protocol, (request, response) => {
      paths.push(request.url);
      response.end('ok');
    });
    tested = await client(protocol);
    const address = `${url(server)}a\r\nx: y`;
    expect(await (await tested.fetch(address)).text()).toBe('ok');
    expect(paths).toEqual(['/ax:%20y']);
  });

  it("neither Expect nor the framing is the page's to set", async () => {
    let seen: Record<string, unknown> = {};
    server = await serve(protocol, async (request, response) => {
      seen = request.headers;
      response.end(String((await bodyOf(request)).length));
    });
    tested = await client(protocol);
    const headers = {
      expect: '100-continue',
      'content-length': '1',
      'transfer-encoding': 'gzip',
      te: 'gzip',
      upgrade: 'x',
    };
    expect((await get({ method: 'POST', body: 'four', headers })).text).toBe('4');
    expect(seen['content-length']).toBe('4');
    for (const name of ['expect', 'transfer-encoding', 'te', 'upgrade']) expect(seen[name]).toBeUndefined();
  });

  it('a body without end takes no more memory, and is left when the page has enough', async () => {
    server = await serve(protocol, (_, response) => {
      const chunk = Buffer.alloc(64 * 1024);
      const more = () => {
        while (!response.destroyed) if (!response.write(chunk)) return void response.once('drain', more);
      };
      more();
    });
    tested = await client(protocol);
    const reader = (await tested.fetch(url(server))).body?.getReader();
    for (let bytes = 0; bytes < 64 << 20; ) bytes += (await reader?.read())?.value?.length ?? Number.NaN;
    expect(tested.engine.memoryBytes).toBeLessThan(8 << 20);
    await reader?.cancel();
    await until(() => tested.engine.openCount === (protocol === 'h2' ? 1 : 0));
  });
});

describe('an http/1.1 server that stops an upload', () => {
  it.each([408, 413])('with %i and an end is understood', async status => {
    server = await serveRaw(socket => {
      let bytes = 0;
      socket.on('data', chunk => {
        bytes += chunk.length;
        if (bytes < 100_000) return;
        socket.removeAllListeners('data');
        socket.pause();
        socket.end(`HTTP/1.1 ${status} No\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno`);
      });
    });
    tested = await client('http/1.1');
    const body = new ReadableStream<Uint8Array>({
      pull: controller => controller.enqueue(new Uint8Array(10_000)),
    });
    expect(await get({ method: 'POST', body })).toEqual({ status, text: 'no' });
    await until(() => tested.engine.openCount === 0);
    expect(server.accepted).toBe(1);
  });
});
