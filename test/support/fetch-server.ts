import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeServerOptions } from './node-server.js';

export interface FetchServer {
  origin: string;
  stop(): Promise<void>;
}

/** Node's own servers prefer AES-256-GCM. */
export const CHACHA_FIRST = 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

/**
 * A server that asks for a client certificate and does what a request tells it: `/show` answers with what came, `/answer` sends the status, reason,
 * headers and body of its query, `/redirect` redirects, `/never` and `/part` stop before and after the response's head. `/state` tells what
 * became of the `/part` with the same key, `/count` how often it was asked for a key, `/tell` has in its headers what came, `/trickle` answers in
 * pieces, `/zeros` has a body of that length, and `/raw`, of HTTP/1.1 alone, is the very text of its query, up to where `/raw-end` goes on.
 */
export async function startFetchServer(
  options: NodeServerOptions & { ciphers?: string },
): Promise<FetchServer> {
  const settings = {
    ...options.server,
    ca: options.clientCa,
    requestCert: true,
    ...(options.ciphers && { ciphers: options.ciphers }),
    rejectUnauthorized: options.requireClient ?? true,
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response).catch(() => response.destroy());
  };
  const server: Server = options.http2
    ? createSecureServer(settings, onRequest as never)
    : createServer(settings, onRequest);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const states = new Map<string, 'open' | 'closed'>();
const raw = new Map<string, Socket>();
const counts = new Map<string, number>();

async function answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'https://localhost');
  const status = Number(searchParams.get('status') ?? 200);
  switch (pathname) {
    case '/show': {
      const body = await buffer(request);
      const { method, headers, url } = request;
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ method, headers, url, body: body.toString('latin1') }));
    }
    case '/answer': {
      request.resume();
      const headers = JSON.parse(searchParams.get('headers') ?? '{}') as Record<string, string>;
      const reason = searchParams.get('reason');
      if (reason !== null) response.statusMessage = reason;
      response.writeHead(status, headers);
      return response.end(Buffer.from(searchParams.get('body') ?? '', 'latin1'));
    }
    case '/redirect': {
      request.resume();
      const left = Number(searchParams.get('count') ?? 1) - 1;
      const location = searchParams.get('location');
      const again = new URLSearchParams(searchParams);
      again.set('count', String(left));
      const next = left > 0 ? `/redirect?${again}` : location;
      const policy = searchParams.get('policy');
      if (policy !== null) response.setHeader('referrer-policy', policy);
      const second = searchParams.get('second');
      const places = [next, second].filter(it => it !== null);
      response.writeHead(status, places.length === 0 ? {} : { location: places as never });
      return response.end('moved');
    }
    case '/range': {
      const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
      const whole = Buffer.from('0123456789');
      if (from === undefined) return response.end(whole);
      const part = whole.subarray(Number(from), to ? Number(to) + 1 : undefined);
      if (part.length === 0) {
        response.writeHead(416, { 'content-range': 'bytes */10' });
        return response.end();
      }
      response.writeHead(206, { 'content-range': `bytes ${from}-${Number(from) + part.length - 1}/10` });
      return response.end(part);
    }
    case '/part': {
      const key = searchParams.get('key') ?? '';
      states.set(key, 'open');
      response.on('close', () => states.set(key, 'closed'));
      response.writeHead(200, { 'content-type': 'text/plain' });
      return response.write('begin');
    }
    case '/state':
      return response.end(states.get(searchParams.get('key') ?? '') ?? 'none');
    case '/count': {
      request.resume();
      const key = searchParams.get('key') ?? '';
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      response.writeHead(status);
      return response.end(String(count));
    }
    case '/tell': {
      request.resume();
      const { method, headers } = request;
      response.setHeader('x-came', encodeURIComponent(JSON.stringify({ method, headers })));
      return response.end();
    }
    case '/trickle': {
      if (searchParams.has('type')) response.setHeader('content-type', 'text/plain');
      for (let left = Number(searchParams.get('count') ?? 2); left > 0; left--) {
        response.write('a piece of it');
        await delay(Number(searchParams.get('ms') ?? 20));
      }
      return response.end();
    }
    case '/zeros':
      return response.end(Buffer.alloc(Number(searchParams.get('length'))));
    case '/raw': {
      const key = searchParams.get('key');
      const text = Buffer.from(searchParams.get('text') ?? '', 'latin1');
      if (key === null) return request.socket.end(text);
      raw.set(key, request.socket);
      return request.socket.write(text);
    }
    case '/raw-end':
      raw.get(searchParams.get('key') ?? '')?.end(searchParams.get('text') ?? '');
      return response.end();
    case '/never':
      return;
    default:
      response.writeHead(404);
      return response.end('no such path');
  }
}
