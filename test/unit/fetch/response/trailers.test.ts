import type http from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { trailersOf } from '../../../../src/fetch/response/trailers.js';
import {
  client,
  type Handler,
  rejection,
  serve,
  serveRaw,
  type TestClient,
  type TestServer,
  url,
} from '../../http/support/servers.js';

const MIB = 1024 * 1024;
const fields = { 'grpc-status': '5', 'details-bin': 'AAE', 'set-cookie': 'a=1' };

/** Answers with a body and trailers. */
function send(response: http.ServerResponse, body: Uint8Array | string, head: object = {}): void {
  response.writeHead(200, { ...head, trailer: 'grpc-status' });
  response.write(body);
  response.addTrailers(fields);
  response.end();
}

const routes: Record<string, Handler> = {
  '/small': (_, response) => send(response, 'hello'),
  '/empty': (_, response) => send(response, ''),
  '/large': (_, response) => send(response, new Uint8Array(MIB)),
  '/gzip': (_, response) => send(response, gzipSync('hello'), { 'content-encoding': 'gzip' }),
  '/broken': (_, response) => send(response, 'hello', { 'content-encoding': 'gzip' }),
  '/moved': (_, response) => void response.writeHead(302, { location: '/small' }).end('moved'),
  '/none': (_, response) => void response.end('hello'),
  '/204': (_, response) => void response.writeHead(204).end(),
  '/te': ({ headers }, response) => send(response, `${headers.te} ${headers.connection}`),
  '/open': (_, response) => void response.write('begun'),
  '/cut': (_, response) => {
    response.write('begun');
    setTimeout(() => response.destroy(), 50);
  },
};

const route: Handler = (request, response) => routes[request.url ?? '']?.(request, response);

describe.each(['h2', 'http/1.1'] as const)('trailers over %s', protocol => {
  let tested: TestClient;
  let server: TestServer;

  beforeEach(async () => {
    server = await serve(protocol, route);
    tested = await client(protocol);
  });

  const get = (path: string, init?: RequestInit) => tested.fetch(url(server, path), init);
  const listed = async (response: Response) => Object.fromEntries(await trailersOf(response));
  const expected = { 'grpc-status': '5', 'details-bin': 'AAE' };

  it.each(['/small', '/empty', '/gzip', '/moved'])(
    'come with a body, read or not, and show no cookies: %s',
    async path => {
      const response = await get(path);
      expect(await listed(response)).toEqual(expected);
      expect(await response.text()).toBe(path === '/empty' ? '' : 'hello');
      expect(await listed(response)).toEqual(expected);
    },
  );

  it.each(['/none', '/204'])('are empty where there are none: %s', async path => {
    expect(await listed(await get(path))).toEqual({});
  });

  it('are empty for a redirect that is not followed, and for HEAD', async () => {
    expect(await listed(await get('/moved', { redirect: 'manual' }))).toEqual({});
    expect(await listed(await get('/none', { method: 'HEAD' }))).toEqual({});
  });

  it('come when a large body has been read, and not before', async () => {
    const response = await get('/large');
    const trailers = listed(response);
    const early = await Promise.race([trailers, new Promise(resolve => setTimeout(resolve, 300, 'waits'))]);
    expect(early).toBe('waits');
    expect((await response.arrayBuffer()).byteLength).toBe(MIB);
    expect(await trailers).toEqual(expected);
  });

  it('are the same for clones, and copies for each caller', async () => {
    const response = await get('/small');
    const clone = response.clone();
    const trailers = await trailersOf(response);
    trailers.delete('grpc-status');
    expect(await listed(clone)).toEqual(expected);
    expect(await listed(response)).toEqual(expected);
    expect(await clone.text()).toBe(await response.text());
  });

  it('are refused with what the body fails with', async () => {
    const response = await get('/cut');
    const reason = await rejection(trailersOf(response));
    expect(reason).toBeInstanceOf(TypeError);
    expect(reason.code).toMatch(/^ERR_(HTTP|TLS|TUNNEL)_/);
    expect(await rejection(response.text())).toBe(reason);
  });

  it('are refused with the reason of an abort, or of the one who cancels the body', async () => {
    const controller = new AbortController();
    const aborted = await get('/open', { signal: controller.signal });
    controller.abort(new Error('enough'));
    expect((await rejection(trailersOf(aborted))).message).toBe('enough');

    const cancelled = await get('/open');
    const waiting = rejection(trailersOf(cancelled));
    await cancelled.body?.cancel(new Error('not needed'));
    expect((await waiting).message).toBe('not needed');

    const silently = await get('/open');
    await silently.body?.cancel();
    expect(await rejection(trailersOf(silently))).toBeInstanceOf(TypeError);
  });

  it('are there although the body cannot be decoded', async () => {
    const response = await get('/broken');
    expect((await rejection(response.text())).code).toBe('ERR_HTTP_DECODING');
    expect(await listed(response)).toEqual(expected);
  });

  it('are refused for a response of another fetch', async () => {
    const message = '"response" must be a Response of client.fetch';
    await expect(trailersOf(new Response('hello'))).rejects.toThrow(new TypeError(message));
    const own = await tested.fetch('data:,hello');
    await expect(trailersOf(own)).rejects.toThrow(new TypeError(message));
    await expect(trailersOf(undefined as never)).rejects.toThrow(TypeError);
  });

  it('are asked for where the caller does so', async () => {
    const asked = await get('/te', { headers: { te: 'trailers' } });
    expect(await asked.text()).toBe(protocol === 'h2' ? 'trailers undefined' : 'trailers te');
    const others = await get('/te', { headers: { te: 'gzip, trailers' } });
    expect(await others.text()).toMatch(/^undefined /);
  });
});

it('trailers without a body are those of a response that ends with its head', async () => {
  const server = await serve('h2', (_, response) => {
    const { stream } = response as unknown as { stream: ServerHttp2Stream };
    stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true });
  });
  const { fetch } = await client('h2');
  const response = await fetch(url(server));
  expect(response.headers.get('grpc-status')).toBe('12');
  expect([...(await trailersOf(response))]).toEqual([]);
});

it('trailers over HTTP/1.1 that cannot be read are none', async () => {
  const server = await serveRaw(socket => {
    const answer = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nno colon\r\n\r\n';
    socket.once('data', () => socket.write(answer));
  });
  const { fetch } = await client('http/1.1');
  const response = await fetch(url(server));
  expect(await response.text()).toBe('ok');
  expect([...(await trailersOf(response))]).toEqual([]);
});
