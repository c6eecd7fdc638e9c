import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  constants,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { Server, Socket } from 'node:net';
import { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { createBrotliCompress, createDeflate, createGzip, constants as zlib } from 'node:zlib';
import type { KeyPair } from './openssl-pki.js';

export interface NodeServerOptions {
  server: KeyPair;
  clientCa: string;
  tls?: 'TLSv1.2' | 'TLSv1.3';
  http2?: boolean;
  /** Default true. */
  requireClient?: boolean;
  /** Ends a connection that is idle for so long; default: Node's own. */
  idleSeconds?: number;
}

export interface NodeServer {
  port: number;
  /** TCP connections that it has accepted so far. */
  connections(): number;
  /** Those of them that are open. */
  openConnections(): number;
  /** Bytes that it has handed to TCP so far. */
  bytesWritten(): number;
  /** Requests for a path so far. */
  requests(path: string): number;
  /** Resolves once there have been so many; rejects after 10 s. */
  asked(path: string, count: number): Promise<void>;
  stop(): Promise<void>;
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = (ServerResponse | Http2ServerResponse) & { end(text?: string): unknown };

const BLOCK = patternOf(1 << 16);

/** The bytes that `/bytes` sends: byte i is i mod 251, from the start again every 64 KiB. */
export function patternOf(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = (index & 0xffff) % 251;
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * A Node server that asks for a client certificate. `/` says who the client is, `/bytes?size=N` sends N bytes, `/head?size=N` so many in
 * the fields of its head, `/zeros?size=N&coding=C` N zeros with a content coding, `/sum` answers with
 * length and SHA-256 of what it gets, `/echo` gives it back, `/wait?ms=N` answers after a while (default: never), `/cut?after=N` declares a megabyte and ends the TCP connection after N
 * bytes, without a word of TLS (`&chunked` declares nothing). With `http1` in the query a path is answered over HTTP/1.1 alone, as HTTP_1_1_REQUIRED says.
 */
export async function startNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const settings = {
    ...options.server,
    ca: options.clientCa,
    requestCert: true,
    rejectUnauthorized: options.requireClient ?? true,
    ...(options.tls && { minVersion: options.tls, maxVersion: options.tls }),
  };
  const rawSockets = new Map<number, Socket>();
  const counts = new Map<string, number>();
  const onRequest = (request: Request, response: Response) => {
    count(request, counts);
    if ('stream' in request && request.url.includes('http1')) {
      request.stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED);
      return;
    }
    answer(request, response, rawSockets).catch(() => response.destroy());
  };
  const server = options.http2
    ? createSecureServer(
        { ...settings, allowHTTP1: true, maxSendHeaderBlockLength: 1 << 20 },
        onRequest as never,
      )
    : createHttpsServer(settings, onRequest as never);
  if (options.idleSeconds) endIdle(server, options.idleSeconds * 1000);
  return listen(server, rawSockets, counts);
}

function endIdle(server: Server, timeoutMs: number): void {
  Object.assign(server, { keepAliveTimeout: timeoutMs });
  server.on('session', (session: ServerHttp2Session) => session.setTimeout(timeoutMs, () => session.close()));
}

/** The same without TLS, for a proxy to pass on to. */
export async function startPlainServer(): Promise<NodeServer> {
  const rawSockets = new Map<number, Socket>();
  const counts = new Map<string, number>();
  const server = createPlainServer((request, response) => {
    count(request, counts);
    answer(request, response, rawSockets).catch(() => response.destroy());
  });
  return listen(server, rawSockets, counts);
}

function count({ url = '/' }: Request, counts: Map<string, number>): void {
  const { pathname } = new URL(url, 'https://localhost');
  counts.set(pathname, (counts.get(pathname) ?? 0) + 1);
}

async function listen(
  server: Server,
  rawSockets: Map<number, Socket>,
  counts: Map<string, number>,
): Promise<NodeServer> {
  let connections = 0;
  let closedBytes = 0;
  server.on('connection', (socket: Socket) => {
    const { remotePort = 0 } = socket;
    connections++;
    rawSockets.set(remotePort, socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      closedBytes += socket.bytesWritten;
      rawSockets.delete(remotePort);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return {
    port: address.port,
    connections: () => connections,
    openConnections: () => rawSockets.size,
    requests: path => counts.get(path) ?? 0,
    async asked(path, count) {
      for (const endMs = Date.now() + 10_000; (counts.get(path) ?? 0) < count; await delay(10)) {
        if (Date.now() > endMs) throw new Error(`not asked for ${path}`);
      }
    },
    bytesWritten: () =>
      [...rawSockets.values()].reduce((sum, { bytesWritten }) => sum + bytesWritten, closedBytes),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of rawSockets.values()) socket.destroy();
      await closed;
    },
  };
}

async function answer(
  request: Request,
  response: Response,
  rawSockets: Map<number, Socket>,
): Promise<unknown> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'https://localhost');
  const size = Number(searchParams.get('size') ?? 0);
  switch (pathname) {
    case '/':
      return json(response, whoIs(request));
    case '/bytes':
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
      return pipeline(Readable.from(blocks(size), { objectMode: false }), response as NodeJS.WritableStream);
    case '/head':
      response.writeHead(200, headOf(size));
      return response.end('ok');
    case '/zeros': {
      const coding = searchParams.get('coding') ?? '';
      response.writeHead(200, { 'content-encoding': coding });
      const zeros = Readable.from(blocks(size, new Uint8Array(BLOCK.length)), { objectMode: false });
      return pipeline(zeros, encoderOf(coding), response as NodeJS.WritableStream);
    }
    case '/sum':
      return json(response, await sum(request));
    case '/echo':
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      return pipeline(request, response as NodeJS.WritableStream);
    case '/wait': {
      const ms = searchParams.get('ms');
      if (ms !== null) setTimeout(() => response.end('late'), Number(ms));
      return;
    }
    case '/events': {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const everyMs = Number(searchParams.get('every') ?? 10);
      for (let at = 1; at <= Number(searchParams.get('count')); at++) {
        (response as ServerResponse).write(`data: ${at}\n\n`);
        await new Promise(resolve => setTimeout(resolve, everyMs));
      }
      return response.end();
    }
    case '/cut': {
      const declared = searchParams.has('chunked') ? {} : { 'content-length': 1 << 20 };
      response.writeHead(200, declared);
      const after = Number(searchParams.get('after'));
      const raw = rawSockets.get(request.socket.remotePort ?? 0);
      (response as ServerResponse).write(patternOf(after), () => setTimeout(() => raw?.destroy(), 100));
      return;
    }
    default:
      response.writeHead(404);
      return response.end('no such path\n');
  }
}

function whoIs(request: Request) {
  const socket = ('stream' in request ? request.stream.session?.socket : request.socket) as TLSSocket;
  const subject = socket.encrypted ? socket.getPeerCertificate().subject : undefined;
  return {
    subject: subject?.CN ?? null,
    tls: socket.encrypted ? socket.getProtocol() : null,
    http: request.httpVersion,
    method: request.method,
    headers: Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith(':'))),
  };
}

async function sum(request: Request) {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    length += chunk.length;
  }
  return { length, sha256: hash.digest('hex') };
}

/** Fields of 4,000 bytes, as none of the servers that pass them on minds. */
function headOf(size: number): Record<string, string> {
  const fields = Array.from({ length: Math.ceil(size / 4_000) }, (_, at) => [
    `x-part-${at}`,
    'y'.repeat(4_000),
  ]);
  return Object.fromEntries(fields);
}

function* blocks(size: number, block = BLOCK) {
  for (let left = size; left > 0; left -= block.length) yield block.subarray(0, left);
}

function encoderOf(coding: string): Duplex {
  if (coding === 'gzip') return createGzip();
  if (coding === 'deflate') return createDeflate();
  if (coding === 'br') return createBrotliCompress({ params: { [zlib.BROTLI_PARAM_QUALITY]: 5 } });
  const { stdin, stdout } = spawn('zstd', ['-q', '-c'], { stdio: ['pipe', 'pipe', 'ignore'] });
  return Duplex.from({ writable: stdin, readable: stdout });
}

function json(response: Response, value: unknown) {
  response.writeHead(200, { 'content-type': 'application/json' });
  return response.end(JSON.stringify(value));
}
