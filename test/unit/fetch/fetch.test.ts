import { createHash } from 'node:crypto';
import type http from 'node:http';
import { beforeEach, describe, expect, it } from 'vitest';
import { connectionInfo } from '../../../src/http/connection-info.js';
import {
  bodyOf,
  client,
  type Handler,
  rejection,
  serve,
  type TestClient,
  type TestServer,
  until,
  url,
} from '../http/support/servers.js';

const MIB = 1024 * 1024;

const protocols = ['h2', 'http/1.1'] as const;

function route(request: http.IncomingMessage, response: http.ServerResponse): void {
  const path = request.url ?? '';
  const answer = routes[path.split('?')[0] ?? ''];
  if (answer) answer(request, response);
  else response.writeHead(404).end('nothing here');
}

const redirectTo =
  (status: number, location?: string): Handler =>
  (request, response) => {
    request.resume();
    response.writeHead(status, location === undefined ? {} : { location }).end('moved');
  };

const routes: Record<string, Handler> = {
  '/hello': (_, response) =>
    response.writeHead(200, { 'content-type': 'text/plain', 'x-two': ['a', 'b'] }).end('hello'),
  '/show': async (request, response) => {
    const body = await bodyOf(request);
    const { method, headers } = request;
    response.end(JSON.stringify({ method, headers, body: body.toString('latin1'), path: request.url }));
  },
  '/204': (_, response) => response.writeHead(204).end(),
  '/304': (_, response) => response.writeHead(304).end(),
  '/big': (_, response) => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let left = (64 * MIB) / chunk.length;
    const more = () => {
      while (left > 0) {
        left--;
        if (!response.write(chunk)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  },
  '/digest': async (request, response) => {
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of request) {
      hash.update(chunk as Buffer);
      length += (chunk as Buffer).length;
    }
    response.end(JSON.stringify({ digest: hash.digest('hex'), length }));
  },
  '/never': request => void request.resume(),
  '/echo': (request, response) => void request.pipe(response),
  '/301': redirectTo(301, '/show'),
  '/302': redirectTo(302, '/show'),
  '/303': redirectTo(303, '/show'),
  '/307': redirectTo(307, '/show'),
  '/308': redirectTo(308, '/show?moved'),
  '/loop': redirectTo(302, '/loop'),
  '/to-http': redirectTo(302, 'http://127.0.0.1/'),
  '/to-nowhere': redirectTo(302, 'https://['),
  '/no-location': redirectTo(302),
  '/to-hash': redirectTo(302, '/show#here'),
};

for (const protocol of protocols) {
  describe(`fetch over ${protocol}`, () => {
    let server: TestServer;
    let tested: TestClient;

    beforeEach(async () => {
      server = await serve(protocol, route);
      tested = await client(protocol);
    });

    const get = (path: string, init?: RequestInit) => tested.fetch(url(server, path), init);
    const shown = async (path: string, init?: RequestInit) => (await get(path, init)).json();

    it('gets a response as fetch gives it', async () => {
      const response = await get('/hello#part');
      expect(response.status).toBe(200);
      expect(response.ok).toBe(true);
      expect(response.statusText).toBe(protocol === 'h2' ? '' : 'OK');
      expect(response.url).toBe(url(server, '/hello'));
      expect(response.redirected).toBe(false);
      expect(response.type).toBe('basic');
      expect(response.headers.get('content-type')).toBe('text/plain');
      expect(response.headers.get('x-two')).toBe('a, b');
      const clone = response.clone();
      expect(clone.url).toBe(response.url);
      expect(await clone.text()).toBe('hello');
      expect(await response.text()).toBe('hello');
    });

    it('says how the response came', async () => {
      const response = await get('/hello');
      const info = connectionInfo(response);
      expect(info?.protocol).toBe(protocol);
      expect(info?.tlsVersion).toBe('TLSv1.3');
      expect(info?.timings).toMatchObject({ tunnelMs: 1, handshakeMs: 2 });
      expect(info?.timings.responseMs).toBeGreaterThan(0);
      expect(info?.bytesSent).toBeGreaterThan(0);
      expect(info?.bytesReceived).toBeGreaterThan(0);
      expect(connectionInfo(response.clone())).toEqual(connectionInfo(response));
      expect(connectionInfo(new Response())).toBeUndefined();
    });

    it('uses one connection again and again', async () => {
      for (let i = 0; i < 10; i++) expect((await get('/hello')).status).toBe(200);
      expect(tested.connects.count).toBe(1);
    });

    it('answers without a body have none', async () => {
      for (const [path, init] of [['/204'], ['/304'], ['/hello', { method: 'HEAD' }]] as [
        string,
        RequestInit?,
      ][]) {
        const response = await get(path, init);
        expect(response.body).toBeNull();
        expect(await response.text()).toBe('');
      }
      expect((await get('/hello', { method: 'HEAD' })).headers.get('content-type')).toBe('text/plain');
      expect(tested.connects.count).toBe(1);
    });

    it('sends every kind of body', async () => {
      const form = new FormData();
      form.set('field', 'välue');
      form.set('file', new File(['content'], 'name.txt', { type: 'text/x-test' }));
      const stream = () => new Blob(['in ', 'pieces']).stream();
      const cases: [string, BodyInit, string, RegExp | undefined, boolean][] = [
        ['string', 'täxt', Buffer.from('täxt').toString('latin1'), /^text\/plain;charset=UTF-8$/, true],
        ['search', new URLSearchParams({ a: '1 2' }), 'a=1+2', /^application\/x-www-form-urlencoded/, true],
        ['blob', new Blob(['blob'], { type: 'text/x-blob' }), 'blob', /^text\/x-blob$/, true],
        ['buffer', new Uint8Array([1, 2, 255]).buffer, '\x01\x02\xff', undefined, true],
        ['view', new Uint8Array([0, 9, 8, 0]).subarray(1, 3), '\x09\x08', undefined, true],
        ['stream', stream(), 'in pieces', undefined, false],
      ];
      for (const [name, body, text, type, hasLength] of cases) {
        const seen = await shown('/show', { method: 'POST', body });
        expect(seen.method, name).toBe('POST');
        expect(seen.body, name).toBe(text);
        if (type) expect(seen.headers['content-type'], name).toMatch(type);
        else expect(seen.headers['content-type'], name).toBeUndefined();
        expect(seen.headers['content-length'], name).toBe(hasLength ? String(text.length) : undefined);
      }
      const seen = await shown('/show', { method: 'POST', body: form });
      const boundary = /boundary=(.*)$/.exec(seen.headers['content-type'])?.[1];
      expect(seen.body).toContain(`--${boundary}`);
      expect(seen.body).toContain(Buffer.from('välue').toString('latin1'));
      expect(seen.body).toContain('name.txt');
    });

    it('reads what a Request holds', async () => {
      const request = new Request(url(server, '/show'), {
        method: 'PUT',
        headers: { 'x-mine': 'yes' },
        body: 'of the request',
      });
      const seen = await (await tested.fetch(request)).json();
      expect(seen).toMatchObject({ method: 'PUT', body: 'of the request' });
      expect(seen.headers).toMatchObject({ 'x-mine': 'yes', 'content-length': '14' });
      const again = new Request(url(server, '/show'), { method: 'POST', body: 'old' });
      const other = await (await tested.fetch(again, { body: 'new', headers: { 'x-other': '1' } })).json();
      expect(other).toMatchObject({ method: 'POST', body: 'new' });
      expect(other.headers['x-mine']).toBeUndefined();
      expect(other.headers['x-other']).toBe('1');
    });

    it('sends sensible headers', async () => {
      const seen = await shown('/show', {
        method: 'POST',
        headers: { Connection: 'close', 'Content-Length': '7', 'X-Ü': 'no' } as never,
      }).catch(error => error);
      expect(seen).toBeInstanceOf(TypeError);
      const { headers } = await shown('/show', {
        method: 'POST',
        headers: { Connection: 'close', 'X-Bytes': 'caf\u00e9' },
      });
      expect(headers.accept).toBe('*/*');
      expect(headers['content-length']).toBe('0');
      expect(headers['accept-encoding']).toMatch(/^gzip, deflate\b/);
      expect(headers['x-bytes']).toBe('caf\u00e9');
      expect(headers.host ?? headers[':authority']).toBe(`127.0.0.1:${server.port}`);
      expect(headers.connection).not.toBe('close');
    });

    it('refuses misuse with a TypeError, before anything is sent', async () => {
      const cases: [string, RequestInit?][] = [
        ['http://127.0.0.1/'],
        ['https://user:secret@127.0.0.1/'],
        ['not a url'],
        [url(server), { method: 'TRACE' }],
        [url(server), { method: 'G T' }],
        [url(server), { body: 'x' }],
        [url(server), { redirect: 'never' as RequestRedirect }],
        [url(server), { headers: { 'a b': 'c' } }],
      ];
      for (const [input, init] of cases) {
        const error = await rejection(tested.fetch(input, init));
        expect(error, input).toBeInstanceOf(TypeError);
        expect(error.message).not.toContain('secret');
      }
      expect((await rejection(tested.fetch('http://127.0.0.1/'))).message).toContain('https:');
      expect(tested.connects.count).toBe(0);
    });

    it('normalises the known methods only', async () => {
      expect((await shown('/show', { method: 'post' })).method).toBe('POST');
      expect((await shown('/show', { method: 'PATCH', body: 'x' })).method).toBe('PATCH');
    });

    it('follows redirects and rewrites methods', async () => {
      const post = { method: 'POST', body: 'data', headers: { 'content-language': 'de', 'x-keep': '1' } };
      for (const path of ['/301', '/302', '/303']) {
        const response = await get(path, post);
        expect(response.redirected).toBe(true);
        expect(response.url).toBe(url(server, '/show'));
        const seen = await response.json();
        expect(seen).toMatchObject({ method: 'GET', body: '' });
        expect(seen.headers['content-type']).toBeUndefined();
        expect(seen.headers['content-language']).toBeUndefined();
        expect(seen.headers['x-keep']).toBe('1');
      }
      for (const path of ['/307', '/308']) {
        expect(await shown(path, post)).toMatchObject({ method: 'POST', body: 'data' });
      }
      expect((await shown('/302', { method: 'PUT', body: 'data' })).method).toBe('PUT');
      expect((await shown('/303', { method: 'PUT', body: 'data' })).method).toBe('GET');
      expect((await get('/303', { method: 'HEAD' })).status).toBe(200);
      expect((await get('/to-hash')).url).toBe(url(server, '/show'));
      expect((await get('/no-location')).status).toBe(302);
      expect(tested.connects.count).toBe(1);
    });

    it('stops at redirects that cannot be followed', async () => {
      for (const path of ['/loop', '/to-http', '/to-nowhere']) {
        expect((await rejection(get(path))).code, path).toBe('ERR_HTTP_REDIRECT');
      }
      const error = await rejection(get('/302', { redirect: 'error' }));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'ERR_HTTP_REDIRECT', cause: { code: 'ERR_HTTP_REDIRECT' } });
      const body = new Blob(['x']).stream();
      expect((await rejection(get('/307', { method: 'POST', body }))).code).toBe('ERR_HTTP_REDIRECT');
      const manual = await get('/302', { redirect: 'manual' });
      expect(manual).toMatchObject({ type: 'opaqueredirect', status: 0, ok: false, redirected: false });
      expect([...manual.headers]).toEqual([]);
      expect(manual.body).toBeNull();
    });

    it('drops credentials on the way to another origin', async () => {
      const other = await serve(protocol, route);
      routes['/away'] = redirectTo(302, url(other, '/show'));
      try {
        const headers = { authorization: 'Bearer x', cookie: 'a=b', 'x-keep': '1' };
        const seen = await shown('/away', { headers });
        expect(seen.headers.authorization).toBeUndefined();
        expect(seen.headers.cookie).toBeUndefined();
        expect(seen.headers['x-keep']).toBe('1');
        expect((await shown('/302', { headers })).headers.authorization).toBe('Bearer x');
      } finally {
        tested.pool.closeIdle();
        await other.close();
      }
    });

    it('does 50 at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, i) =>
          (await get(`/show?${i}`, { method: 'POST', body: `body ${i}` })).json(),
        ),
      );
      answers.forEach((seen, i) => {
        expect(seen).toMatchObject({ path: `/show?${i}`, body: `body ${i}` });
      });
      // Over HTTP/1.1 how many depends on how long the answers take.
      expect(tested.connects.count).toBeLessThanOrEqual(protocol === 'h2' ? 1 : 6);
    });

    it('carries 64 MiB down', { timeout: 60_000 }, async () => {
      const response = await get('/big');
      let length = 0;
      let wrong = 0;
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        length += chunk.length;
        if (chunk.some(byte => byte !== 0x78)) wrong++;
      }
      expect(length).toBe(64 * MIB);
      expect(wrong).toBe(0);
      expect(tested.engine.memoryBytes).toBeLessThan(24 * MIB);
    });

    it('carries 64 MiB up, from a stream and from a blob', { timeout: 60_000 }, async () => {
      const chunk = new Uint8Array(MIB).map((_, i) => (i * 31) & 0xff);
      const hash = createHash('sha256');
      for (let i = 0; i < 64; i++) hash.update(chunk);
      const digest = hash.digest('hex');
      let made = 0;
      const stream = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (made++ < 64) controller.enqueue(chunk.slice());
          else controller.close();
        },
      });
      for (const body of [stream, new Blob(Array.from({ length: 64 }, () => chunk))]) {
        const seen = await shown('/digest', { method: 'POST', body });
        expect(seen).toEqual({ length: 64 * MIB, digest });
      }
      expect(tested.engine.memoryBytes).toBeLessThan(24 * MIB);
    });

    it('answers while the body is still on its way', async () => {
      let push: (text: string) => void = () => {};
      let end = () => {};
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          push = text => controller.enqueue(new TextEncoder().encode(text));
          end = () => controller.close();
        },
      });
      push('one');
      const response = await get('/echo', { method: 'POST', body });
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      const read = async () => new TextDecoder().decode((await reader.read()).value);
      expect(await read()).toBe('one');
      push('two');
      expect(await read()).toBe('two');
      end();
      expect((await reader.read()).done).toBe(true);
    });

    it('a reader that stops, stops the server', { timeout: 20_000 }, async () => {
      let written = 0;
      routes['/endless'] = (_, response) => {
        const chunk = Buffer.alloc(64 * 1024);
        const more = () => {
          while (!response.destroyed) {
            written += chunk.length;
            if (!response.write(chunk)) return void response.once('drain', more);
          }
        };
        more();
      };
      const response = await get('/endless');
      let before = -1;
      while (written !== before) {
        before = written;
        await new Promise(resolve => setTimeout(resolve, 300));
      }
      // The sockets' own buffers hold the larger part of this.
      expect(written).toBeLessThan(16 * MIB);
      expect(tested.engine.memoryBytes).toBeLessThan(16 * MIB);
      await response.body?.cancel();
      if (protocol === 'h2') expect((await get('/hello')).status).toBe(200);
    });

    it('passes the reason of an abort, at each stage', async () => {
      const reason = new Error('mine');
      const before = new AbortController();
      before.abort(reason);
      expect(await rejection(get('/hello', { signal: before.signal }))).toBe(reason);
      expect(tested.connects.count).toBe(0);

      tested.connects.delayMs = 50;
      const connecting = new AbortController();
      const early = rejection(get('/hello', { signal: connecting.signal }));
      connecting.abort(reason);
      expect(await early).toBe(reason);
      tested.connects.delayMs = 0;

      const waiting = new AbortController();
      const waited = rejection(get('/never', { signal: waiting.signal }));
      await until(() => server.accepted > 0);
      await new Promise(resolve => setTimeout(resolve, 30));
      waiting.abort(reason);
      expect(await waited).toBe(reason);

      const reading = new AbortController();
      const response = await get('/big', { signal: reading.signal });
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      reading.abort(reason);
      expect(await rejection(reader.closed)).toBe(reason);

      expect((await rejection(get('/never', { signal: AbortSignal.timeout(20) }))).name).toBe('TimeoutError');
      expect(await (await get('/hello')).text()).toBe('hello');
      await until(() => tested.engine.openCount <= 1);
    });

    it('an abort cancels the body on its way', async () => {
      const controller = new AbortController();
      let cancelled: unknown;
      const body = new ReadableStream<Uint8Array>({
        pull: it => it.enqueue(new Uint8Array(1000)),
        cancel: reason => {
          cancelled = reason;
        },
      });
      const failed = rejection(get('/never', { method: 'POST', body, signal: controller.signal }));
      await new Promise(resolve => setTimeout(resolve, 50));
      controller.abort('enough');
      expect(await failed).toBe('enough');
      await until(() => cancelled === 'enough');
    });

    it('a body that fails, fails the request', async () => {
      const broken = new Error('disk');
      const body = new ReadableStream({ pull: controller => controller.error(broken) });
      const error = await rejection(get('/show', { method: 'POST', body }));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'ERR_HTTP_BODY', cause: { cause: broken } });
      const strings = new ReadableStream({ start: controller => controller.enqueue('text') });
      expect((await rejection(get('/show', { method: 'POST', body: strings }))).code).toBe('ERR_HTTP_BODY');
      expect(await (await get('/hello')).text()).toBe('hello');
    });
  });
}
