import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { expect, onTestFinished } from 'vitest';
import { MtlsError } from '../../../../src/errors.js';
import { createFetch, type MtlsFetch } from '../../../../src/fetch/fetch.js';
import type { TransportInfo } from '../../../../src/http/connection-info.js';
import { Cookies } from '../../../../src/http/cookies/cookies.js';
import { HttpEngine } from '../../../../src/http/http-engine.js';
import type { PlaintextStream } from '../../../../src/http/plaintext-stream.js';
import { Pool } from '../../../../src/http/pool/pool.js';
import type { PoolOptions } from '../../../../src/http/pool/pool-options.js';
import { engineModule } from '../../../support/engine.js';

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

export interface TestServer {
  port: number;
  /** Connections accepted so far. */
  accepted: number;
  sockets: Set<net.Socket>;
  close(): Promise<void>;
}

/** The body of a request; of one that was given up, what came of it. */
export async function bodyOf(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {}
  return Buffer.concat(chunks);
}

/** A cleartext server, which ends with the test: `h2` with prior knowledge, or HTTP/1.1. */
export async function serve(protocol: 'h2' | 'http/1.1', handler: Handler): Promise<TestServer> {
  const server =
    protocol === 'h2'
      ? http2.createServer((request, response) =>
          handler(request as unknown as http.IncomingMessage, response as unknown as http.ServerResponse),
        )
      : http.createServer({ keepAliveTimeout: 60_000 }, handler);
  return listen(server as net.Server);
}

/** A server that does to each connection what `onSocket` does. */
export function serveRaw(onSocket: (socket: net.Socket) => void): Promise<TestServer> {
  return listen(net.createServer({ allowHalfOpen: true }, onSocket));
}

export async function listen(server: net.Server): Promise<TestServer> {
  const sockets = new Set<net.Socket>();
  const running: TestServer = {
    port: 0,
    accepted: 0,
    sockets,
    close: () =>
      new Promise(resolve => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  server.on('connection', (socket: net.Socket) => {
    running.accepted++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  running.port = (server.address() as net.AddressInfo).port;
  onTestFinished(running.close);
  return running;
}

export interface TestClient {
  fetch: MtlsFetch;
  pool: Pool;
  engine: HttpEngine;
  connects: {
    count: number;
    /** Sockets that the client has not closed. */
    open: number;
    /** What has been read of all of them. */
    receivedBytes(): number;
    failWith?: unknown;
    delayMs: number;
  };
  close(): void;
}

interface ClientOptions extends PoolOptions {
  transport?: Partial<TransportInfo>;
  /** What a reset stands for. Default: an end without close_notify. */
  reset?: MtlsError;
}

/** A client whose "TLS" is plain TCP to 127.0.0.1 and the URL's port. It ends with the test. */
export async function client(
  alpn: string,
  { transport = {}, reset = truncated, ...options }: ClientOptions = {},
): Promise<TestClient> {
  const engine = await HttpEngine.create(engineModule());
  const sockets: net.Socket[] = [];
  const receivedBytes = () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  const connects: TestClient['connects'] = { count: 0, open: 0, receivedBytes, delayMs: 0 };
  const pool = new Pool(
    engine,
    async ({ port }, signal, offered) => {
      connects.count++;
      if (connects.delayMs) await new Promise(resolve => setTimeout(resolve, connects.delayMs));
      if (connects.failWith) throw connects.failWith;
      signal.throwIfAborted();
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      sockets.push(socket);
      connects.open++;
      socket.once('close', () => connects.open--);
      return plaintextOf(socket, offered.includes(alpn) ? alpn : 'http/1.1', { transport, reset });
    },
    options,
  );
  const close = () => pool.destroy();
  onTestFinished(close);
  return { fetch: createFetch(pool, new Cookies()), pool, engine, connects, close };
}

const truncated = new MtlsError('ERR_TLS_TRUNCATED', 'The connection was cut.');

function plaintextOf(
  socket: net.Socket,
  alpn: string,
  { transport, reset }: Required<Pick<ClientOptions, 'transport' | 'reset'>>,
): PlaintextStream {
  const { readable } = Duplex.toWeb(socket) as unknown as { readable: ReadableStream<Uint8Array> };
  // Node's own takes 16,384 chunks before it holds anybody back.
  const settled = (resolve: () => void, reject: (error: Error) => void) => (error?: Error | null) =>
    error ? reject(error) : resolve();
  const writable = new WritableStream<Uint8Array>({
    write: chunk => new Promise<void>((resolve, reject) => socket.write(chunk, settled(resolve, reject))),
    close: () => new Promise<void>((resolve, reject) => socket.end(settled(resolve, reject))),
    abort: () => void socket.destroy(),
  });
  const reader = readable.getReader();
  return {
    writable,
    readable: new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await reader.read().catch(() => {
            throw reset;
          });
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel(reason) {
          socket.destroy();
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    ),
    info: {
      connectionId: 1,
      version: 'TLSv1.3',
      alpn,
      cipherSuite: 'TLS_AES_128_GCM_SHA256',
      keyExchange: 'X25519',
      serverChain: [],
      clientCertificateRequested: false,
      clientCertificateSent: false,
      resumed: false,
      timings: { tunnelMs: 1, handshakeMs: 2 },
      get bytesSent() {
        return socket.bytesWritten;
      },
      get bytesReceived() {
        return socket.bytesRead;
      },
      ...transport,
    },
  };
}

/** A server that reads a request's head, and then does what `answer` does; the argument counts the connections. */
export function answering(
  answer: (socket: net.Socket, connection: number, request: string) => void,
): Promise<TestServer> {
  let connections = 0;
  return serveRaw(socket => {
    const connection = ++connections;
    let head = '';
    socket.on('data', data => {
      head += data.toString('latin1');
      if (!/ HTTP\/1.1\r\n.*\r\n\r\n/s.test(head)) return;
      const request = head;
      head = '';
      answer(socket, connection, request);
    });
  });
}

export const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

export const url = (server: TestServer, path = '/') => `https://127.0.0.1:${server.port}${path}`;

/** What a promise rejects with. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<Error & { code?: string; cause?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not reject');
}

/** What the engine may hold however a server behaves with one response. */
const MOST_ENGINE_BYTES = 8 << 20;

/** The body of a response, or the code of what came instead. */
export async function outcomeOf({ fetch, engine }: TestClient, address: string): Promise<string> {
  const answer = async () => (await fetch(address)).text();
  const result = await answer().catch((error: { code?: string }) => error.code ?? String(error));
  expect(engine.memoryBytes).toBeLessThan(MOST_ENGINE_BYTES);
  return result;
}

export const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

/** Waits until something holds. */
export async function until(holds: () => boolean, timeoutMs = 4000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error('it does not come to hold');
    await sleep(5);
  }
}
