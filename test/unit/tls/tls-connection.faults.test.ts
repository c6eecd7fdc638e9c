import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Instance } from '../../../src/engine/instance.js';
import { MtlsError } from '../../../src/errors.js';
import { TlsConnection } from '../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../src/tls/tls-engine.js';
import type { TlsConnectOptions } from '../../../src/tls/types.js';
import type { TunnelStream } from '../../../src/tunnel/tunnel.js';
import { engineModule } from '../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { dialTcp } from '../../support/tcp-tunnel.js';

let pki: OpensslPki;
let serverKey: KeyPair;
const servers: Server[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  serverKey = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
});

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => pki.close());

async function listen(options: TlsOptions, onSocket: (socket: TLSSocket) => void = echo): Promise<number> {
  const server = createServer({ ...serverKey, ca: pki.ca.cert, ...options }, socket => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.on('tlsClientError', () => {});
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function echo(socket: TLSSocket): void {
  socket.pipe(socket);
}

function newEngine(): Promise<TlsEngine> {
  return TlsEngine.create(engineModule(), { anchors: [certificateDer(pki.ca.cert)] });
}

function connect(
  engine: TlsEngine,
  stream: TunnelStream,
  options: Partial<TlsConnectOptions> = {},
): Promise<TlsConnection> {
  return TlsConnection.connect(engine, stream, {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => undefined,
    ...options,
  });
}

type Alteration = (chunks: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array>;

/** A tunnel that brings something else than it should. (Without a `TransformStream`: Node's throws when it is cancelled after its end.) */
function altered(stream: TunnelStream, alter: Alteration): TunnelStream {
  const reader = stream.readable.getReader();
  async function* chunks() {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  }
  const altering = alter(chunks());
  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await altering.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: reason => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { readable, writable: stream.writable };
}

function dribbled(stream: TunnelStream): TunnelStream {
  return altered(stream, async function* (chunks) {
    for await (const chunk of chunks) for (const byte of chunk) yield Uint8Array.of(byte);
  });
}

/** Ends behind so many bytes, and fails instead if there is an error. */
function cut(stream: TunnelStream, at: number, error?: Error): TunnelStream {
  return altered(stream, async function* (chunks) {
    let left = at;
    for await (const chunk of chunks) {
      yield chunk.subarray(0, left);
      left -= Math.min(left, chunk.length);
      if (left === 0) break;
    }
    if (error) throw error;
  });
}

/** A tunnel whose writes wait while it is `stalled`, and that knows whether it was given up. */
function stallable(stream: TunnelStream) {
  const writer = stream.writable.getWriter();
  const state = { stalled: false, givenUp: false };
  const writable = new WritableStream<Uint8Array>({
    start({ signal }) {
      signal.addEventListener('abort', () => {
        state.givenUp = true;
        writer.abort().catch(() => {});
      });
    },
    write: chunk => (state.stalled ? new Promise<void>(() => {}) : writer.write(chunk)),
    close: () => (state.stalled ? new Promise<void>(() => {}) : writer.close()),
  });
  return { state, stream: { readable: stream.readable, writable } };
}

const soon = <T>(promise: Promise<T>): Promise<T> =>
  Promise.race([
    promise,
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error('it hangs')), 3000)),
  ]);

async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (reason: { code: string }) => reason.code,
  );
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a server over %s', version => {
  const only = { minVersion: version, maxVersion: version, requestCert: true, rejectUnauthorized: false };

  it('may send one byte at a time', async () => {
    const asked: unknown[] = [];
    const stream = dribbled(dialTcp(await listen(only)));
    const connection = await connect(await newEngine(), stream, {
      authenticate: async request => {
        asked.push(request);
        return undefined;
      },
    });
    await connection.writable.getWriter().write(new TextEncoder().encode('hello'));
    let text = '';
    for (const reader = connection.readable.getReader(); text.length < 5; ) {
      text += Buffer.from((await reader.read()).value ?? []);
    }
    expect(text).toBe('hello');
    expect(asked).toHaveLength(1);
  });

  it('has refused nobody when its first words are cut', async () => {
    const port = await listen(only, socket => setTimeout(() => socket.write('hello'), 50));
    const whole = await connect(await newEngine(), dialTcp(port));
    const handshakeBytes = whole.bytesReceived;
    whole.abort(new Error('done'));
    // In the middle of the next record: the lengths of signatures differ by a few bytes.
    const stream = cut(dialTcp(port), handshakeBytes + 10);
    const connection = await connect(await newEngine(), stream);
    const reading = connection.readable.getReader().read();
    expect(await outcomeOf(soon(reading))).toBe('ERR_TLS_TRUNCATED');
  });

  it('that resets is told as cut where that shows with a write, too', async () => {
    const { readable, writable } = dialTcp(await listen({ ...only, requestCert: false }));
    const writer = writable.getWriter();
    let isReset = false;
    const stream = new WritableStream<Uint8Array>({
      async write(chunk) {
        if (isReset) throw new MtlsError('ERR_TUNNEL_RESET', 'the target reset the connection');
        await writer.write(chunk);
      },
    });
    const connection = await connect(await newEngine(), { readable, writable: stream });
    isReset = true;
    // More than is encrypted at once: the failure of one part shows with the next.
    const writing = connection.writable.getWriter().write(new Uint8Array(600_000));
    expect(await outcomeOf(soon(writing))).toBe('ERR_TLS_TRUNCATED');
    connection.abort(new Error('done'));
  });

  it('may go away at any byte of the handshake', async () => {
    const engine = await newEngine();
    const port = await listen(only);
    const { bytesReceived } = await connect(engine, dialTcp(port), { partition: 'whole' });
    const outcomes = new Set<string>();
    for (let at = 0; at < bytesReceived - 100; at += 61) {
      let asked = false;
      const connecting = connect(engine, cut(dialTcp(port), at), {
        partition: String(at),
        authenticate: async () => {
          asked = true;
          return undefined;
        },
      });
      const code = await outcomeOf(connecting);
      if (!asked) outcomes.add(code);
    }
    expect([...outcomes]).toEqual(['ERR_TLS_TRUNCATED']);
  });
});

describe('a connection', () => {
  it('takes bytes only, and gives itself up otherwise', async () => {
    for (const wrong of [new ArrayBuffer(8), 'text', Uint16Array.of(1, 2), undefined]) {
      const { state, stream } = stallable(dialTcp(await listen({})));
      const connection = await connect(await newEngine(), stream);
      const reading = connection.readable.getReader().read();
      reading.catch(() => {});
      await expect(connection.writable.getWriter().write(wrong as unknown as Uint8Array)).rejects.toThrow(
        TypeError,
      );
      await expect(soon(reading)).rejects.toThrow(TypeError);
      expect(state.givenUp).toBe(true);
    }
  });

  it('can be given up while a write waits', async () => {
    const { state, stream } = stallable(dialTcp(await listen({}, socket => socket.resume())));
    const connection = await connect(await newEngine(), stream);
    const writer = connection.writable.getWriter();
    state.stalled = true;
    const writing = outcomeOf(writer.write(new Uint8Array(100_000)));
    await new Promise(resolve => setTimeout(resolve, 20));
    await soon(writer.abort(new Error('enough')));
    await soon(writing);
    expect(state.givenUp).toBe(true);
  });

  it('ends when the engine that does its records fails', async () => {
    const calls = vi.spyOn(Instance.prototype, 'call');
    const engine = await newEngine();
    const [instance] = calls.mock.contexts as Instance[];
    calls.mockRestore();
    const sockets: TLSSocket[] = [];
    const port = await listen(
      { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' },
      it => void sockets.push(it.resume()),
    );
    const reader = (await connect(engine, dialTcp(port))).readable.getReader();
    const writer = (await connect(engine, dialTcp(port))).writable.getWriter();
    await expect.poll(() => sockets).toHaveLength(2);
    const gone = Promise.all(sockets.map(socket => once(socket, 'close')));
    // Asks for more than the memory can ever hold.
    const bomb = { length: -1 } as unknown as Uint8Array;
    expect(() => instance?.call('trust_evaluate', [bomb])).toThrow(
      expect.objectContaining({ code: 'ERR_ENGINE_FAILED' }),
    );
    expect(await outcomeOf(writer.write(Uint8Array.of(1)))).toBe('ERR_ENGINE_FAILED');
    for (const socket of sockets) socket.write('hello');
    expect(await soon(outcomeOf(reader.read()))).toBe('ERR_ENGINE_FAILED');
    await soon(gone);
  });
});

describe('the memory of the engine', () => {
  it.each<[kind: string, broken: (port: number) => TunnelStream, options: Partial<TlsConnectOptions>]>([
    ['an untrusted server', dialTcp, { hostname: 'elsewhere.example' }],
    ['a server that goes away', port => cut(dialTcp(port), 700), {}],
    ['a tunnel that fails', port => cut(dialTcp(port), 700, new Error('cut off')), {}],
    ['a challenge that fails', dialTcp, { authenticate: () => Promise.reject(new Error('no')) }],
    ['an abort', dialTcp, { authenticate: () => new Promise<never>(() => {}), signal: AbortSignal.abort() }],
  ])(
    'is not used up by %s',
    async (_, broken, options) => {
      const engine = await newEngine();
      const port = await listen({ requestCert: true, rejectUnauthorized: false });
      const visit = () =>
        connect(engine, broken(port), options).then(
          () => expect.fail('it worked'),
          () => {},
        );
      for (let i = 0; i < 40; i++) await visit();
      const before = engine.memoryBytes;
      for (let i = 0; i < 300; i++) await visit();
      expect(engine.memoryBytes).toBe(before);
    },
    60_000,
  );
});
