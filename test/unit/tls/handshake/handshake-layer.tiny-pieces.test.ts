import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Instance } from '../../../../src/engine/instance.js';
import { TlsConnection } from '../../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../../src/tls/tls-engine.js';
import type { CertificateRequest, TlsConnectOptions, TlsVersion } from '../../../../src/tls/types.js';
import type { TunnelStream } from '../../../../src/tunnel/tunnel.js';
import { ALTERED_SUITE, type Alter, altered } from '../../../support/altered-handshake.js';
import { secretsOf } from '../../../support/attacked-tunnel.js';
import { credentialOfPair } from '../../../support/credential.js';
import { engineModule } from '../../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';

let pki: OpensslPki;
let client: KeyPair;
/** Of about that many bytes, for localhost. */
const certificates = new Map<number, KeyPair>();
const servers: Server[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  client = pki.issue({ subject: '/CN=client' });
  for (const size of [1_000, 9_000, 18_000]) certificates.set(size, certificateOf(size));
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => pki.close());

function certificateOf(bytes: number): KeyPair {
  const name = `${'x'.repeat(59)}.example`;
  const names = Array.from({ length: Math.ceil(bytes / (name.length + 4)) }, (_, i) => `DNS:${i}.${name}`);
  return pki.issue({ subject: '/CN=localhost', altNames: ['DNS:localhost', ...names].join(',') });
}

interface Scene {
  version: TlsVersion;
  certificateBytes: number;
  /** Whether the server asks for a certificate. Default: true. */
  requestCert?: boolean;
  /** How the server's handshake is cut into records. Default: into those of one byte each. */
  alter?: Alter;
}

const recordsOf =
  (bytes: number): Alter =>
  content =>
    Array.from({ length: Math.ceil(content.length / bytes) }, (_, i) =>
      content.subarray(bytes * i, bytes * (i + 1)),
    );

async function listen({ version, certificateBytes, requestCert = true, alter = recordsOf(1) }: Scene) {
  const limits = {
    minVersion: version,
    maxVersion: version,
    ...(version === 'TLSv1.3' && { ciphers: ALTERED_SUITE }),
  };
  const options = { ...certificates.get(certificateBytes), ca: pki.ca.cert, ...limits, requestCert };
  const server = createServer({ ...options, rejectUnauthorized: false }, (socket: TLSSocket) =>
    socket.on('error', () => {}).write(`hello ${socket.getPeerCertificate()?.subject?.CN ?? 'nobody'}`),
  );
  server.on('tlsClientError', () => {});
  const secrets = secretsOf(server);
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return altered(dialTcp((server.address() as AddressInfo).port), { secrets, alter });
}

const CERTIFICATE_REQUEST = 13;
/** CN=x */
const NAME = Buffer.of(0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 12, 1, 0x78);

const isCertificateRequest = (content: Buffer) => content[0] === CERTIFICATE_REQUEST;

/** The same request with so many names of authorities, which come last in TLS 1.2; in TLS 1.3 as an extension (RFC 8446 section 4.2.4). */
function withNames(message: Buffer, count: number): Buffer {
  const names = Buffer.concat(Array.from({ length: count }, () => sized(NAME)));
  const isLegacy = message[4] !== 0;
  const body = message.subarray(4);
  const listed = isLegacy
    ? Buffer.concat([body.subarray(0, lengthWithoutNames(body)), sized(names)])
    : Buffer.concat([
        Buffer.of(0),
        sized(Buffer.concat([schemesOf(body), Buffer.of(0, 47), sized(sized(names))])),
      ]);
  const header = Buffer.of(CERTIFICATE_REQUEST, 0, 0, 0);
  header.writeUIntBE(listed.length, 1, 3);
  return Buffer.concat([header, listed]);
}

function sized(content: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(content.length);
  return Buffer.concat([length, content]);
}

/** Certificate types and signature schemes (RFC 5246 section 7.4.4). */
function lengthWithoutNames(body: Buffer): number {
  const types = 1 + (body[0] ?? 0);
  return types + 2 + body.readUInt16BE(types);
}

/** The extension signature_algorithms, as the server sent it. */
function schemesOf(body: Buffer): Buffer {
  for (let at = 3; at < body.length; at += 4 + body.readUInt16BE(at + 2))
    if (body.readUInt16BE(at) === 13) return body.subarray(at, at + 4 + body.readUInt16BE(at + 2));
  throw new Error('no signature schemes');
}

/** All that comes is there at once, in pieces of that size: reading it takes no task of its own. */
function inPieces({ readable, writable }: TunnelStream, size: number): TunnelStream {
  const reader = readable.getReader();
  return {
    readable: new ReadableStream({
      async start(controller) {
        for (let read = await reader.read(); !read.done; read = await reader.read())
          for (let at = 0; at < read.value.length; at += size)
            controller.enqueue(read.value.slice(at, at + size));
        controller.close();
      },
      cancel: reason => reader.cancel(reason),
    }),
    writable,
  };
}

/** What the engine is given during handshakes, and how often memory is copied. */
function watchEngine() {
  const calls = vi.spyOn(Instance.prototype, 'call');
  const of = (name: string) => calls.mock.calls.filter(([called]) => called === name);
  return {
    bytes: () =>
      of('tls_connection_process').reduce((sum, [, args]) => sum + (args[1] as Uint8Array).length, 0),
    largest: () =>
      Math.max(...of('tls_connection_process').map(([, args]) => (args[1] as Uint8Array).length)),
    transactions: () => of('mtls_reserve').length,
  };
}

async function greeting(stream: TunnelStream, options: Partial<TlsConnectOptions> = {}) {
  const engine = await TlsEngine.create(engineModule(), {
    anchors: [certificateDer(pki.ca.cert)],
    evaluateServers: options.evaluateServer !== undefined,
  });
  const connection = await TlsConnection.connect(engine, stream, {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => credentialOfPair(client),
    ...options,
  });
  const { bytesReceived } = connection;
  const { value } = await connection.readable.getReader().read();
  connection.abort(new Error('done'));
  return { text: new TextDecoder().decode(value), bytesReceived };
}

const asVerified = { evaluateServer: async () => 'as-verified' as const };

describe.each<TlsVersion>(['TLSv1.2', 'TLSv1.3'])('a server over %s that says little at a time', version => {
  it.each<[recordBytes: number, pieceBytes: number, what: string, options: Partial<TlsConnectOptions>]>([
    [1, 1_400, 'a certificate', {}],
    [1, 1_400, 'a certificate and trust', asVerified],
    [1, 1e9, 'a certificate and trust', asVerified],
    [100, 1, 'a certificate and trust', asVerified],
  ])(
    'costs what its bytes cost: records of %i bytes, pieces of %i, a question about %s',
    async (recordBytes, pieceBytes, _, options) => {
      const costs: number[] = [];
      for (const certificateBytes of [9_000, 18_000]) {
        const alter = recordsOf(recordBytes);
        const stream = inPieces(await listen({ version, certificateBytes, alter }), pieceBytes);
        const engine = watchEngine();
        const { text, bytesReceived } = await greeting(stream, options);
        expect(text).toBe('hello client');
        // Once, and once more for each question that is asked on the way: certificate, trust, signature.
        expect(engine.bytes()).toBeLessThan(5 * bytesReceived);
        expect(engine.largest()).toBeLessThanOrEqual(16 * 1024);
        expect(engine.transactions()).toBeLessThan(120);
        costs.push(engine.bytes());
        vi.restoreAllMocks();
      }
      const [once = 0, twice = 0] = costs;
      expect(twice).toBeLessThan(2.5 * once);
    },
  );

  it('lets timers run meanwhile, although all that it says is there', async () => {
    const stream = inPieces(await listen({ version, certificateBytes: 18_000 }), 64);
    let ticks = 0;
    const tick = () => {
      ticks++;
      timer = setTimeout(tick, 0);
    };
    let timer = setTimeout(tick, 0);
    await greeting(stream).finally(() => clearTimeout(timer));
    expect(ticks).toBeGreaterThan(3);
  });

  it.each([1, 1_400])(
    'can be given up while what it said, in pieces of %i, is processed',
    async pieceBytes => {
      const stream = await listen({ version, certificateBytes: 18_000 });
      const abandon = new AbortController();
      let taken = 0;
      const { readable, writable } = inPieces(stream, pieceBytes);
      const counting = readable.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            taken += chunk.length;
            // The first word of the server sets the clock.
            if (taken === chunk.length) setTimeout(() => abandon.abort(new Error('enough')), 0);
            controller.enqueue(chunk);
          },
        }),
      );
      const options = { signal: abandon.signal };
      await expect(greeting({ readable: counting, writable }, options)).rejects.toThrow('enough');
      expect(taken).toBeLessThan(version === 'TLSv1.2' ? 100_000 : 400_000);
    },
  );

  it('may name very many authorities', async () => {
    const alter: Alter = content =>
      isCertificateRequest(content) ? recordsOf(1_000)(withNames(content, 2_500)) : [content];
    const request = { version, certificateBytes: 1_000, alter };
    const engine = watchEngine();
    const stream = inPieces(await listen(request), 100);
    const abandon = new AbortController();
    let names = 0;
    const authenticate = async ({ acceptableIssuers }: CertificateRequest) => {
      names = acceptableIssuers.length;
      abandon.abort(new Error('enough'));
      return undefined;
    };
    // In TLS 1.3 the server's signature covers the request, and is wrong therefore.
    await expect(greeting(stream, { authenticate, signal: abandon.signal })).rejects.toThrow();
    if (version === 'TLSv1.2') expect(names).toBe(2_500);
    expect(engine.bytes()).toBeLessThan(4 * 64 * 1024);
  });

  it('may say one byte at a time', async () => {
    const engine = watchEngine();
    const alter: Alter = content => [content];
    const stream = inPieces(await listen({ version, certificateBytes: 1_000, alter }), 1);
    expect((await greeting(stream, asVerified)).text).toBe('hello client');
    expect(engine.transactions()).toBeLessThan(60);
  });
});
