import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { breachWords } from '../../../../src/tls/errors/breaches.js';
import { TlsConnection } from '../../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../../src/tls/tls-engine.js';
import type { TlsSettings, TlsVersion } from '../../../../src/tls/types.js';
import type { TunnelStream } from '../../../../src/tunnel/tunnel.js';
import { engineModule } from '../../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';

/** Names of the protocol, of programs and of options; nothing else is written like that. */
const CAMEL_CASE =
  /\b(?!ClientHello|HelloRetryRequest|ChaCha20|WebCrypto|tlsVersions|createClient|postQuantum)[A-Za-z]*[a-z][A-Z]\w*/;
/** What Rust's debug output has. */
const DEBUG = /[{}]|Some\(|None\b|::/;

let pki: OpensslPki;
let pair: KeyPair;
const servers: (Server | TcpServer)[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => pki.close());

async function portOf(server: Server | TcpServer): Promise<number> {
  server.on('tlsClientError', (_, socket) => socket.destroy());
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const listen = (options: TlsOptions) =>
  portOf(createServer({ ...pair, ...options }, socket => socket.on('error', () => {}).end('hello')));

/** A server that answers the ClientHello with these bytes. */
const saying = (bytes: Uint8Array) =>
  portOf(createTcpServer(socket => socket.on('error', () => {}).once('data', () => socket.write(bytes))));

/** The error of a connection; undefined when it worked. */
async function failure(
  stream: TunnelStream,
  settings: Partial<TlsSettings> = {},
): Promise<{ code: string; message: string } | undefined> {
  const engine = await TlsEngine.create(engineModule(), {
    anchors: [certificateDer(pki.ca.cert)],
    ...settings,
  });
  const connecting = TlsConnection.connect(engine, stream, {
    hostname: 'localhost',
    partition: '',
    alpn: ['http/1.1'],
    authenticate: async () => undefined,
  });
  try {
    await new Response((await connecting).readable).text();
    return undefined;
  } catch (error) {
    return error as { code: string; message: string };
  }
}

function expectWords(message: string): void {
  expect(message).toMatch(/^[A-Z].*\.$/s);
  expect(message).not.toMatch(CAMEL_CASE);
  expect(message).not.toMatch(DEBUG);
}

describe('a server of another version', () => {
  it.each<[server: TlsVersion, client: TlsVersion[], advice: string]>([
    ['TLSv1.3', ['TLSv1.2'], 'Allow TLSv1.3 there as well'],
    ['TLSv1.2', ['TLSv1.3'], 'Allow TLSv1.2 there as well'],
  ])('%s alone, to a client of %s: %s', async (version, versions, advice) => {
    const port = await listen({ minVersion: version, maxVersion: version });
    const error = await failure(dialTcp(port), { versions });
    expect(error).toMatchObject({ code: 'ERR_TLS_ALERT' });
    expect(error?.message).toContain(
      `does not speak ${versions[0]}, which is all that the option tlsVersions allows`,
    );
    expect(error?.message).toContain(advice);
  });

  it('older than TLS 1.2 is told to be', async () => {
    const port = await listen({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' });
    const error = await failure(dialTcp(port));
    expect(error?.message).toContain('it speaks neither TLS 1.2 nor TLS 1.3. Have it allow one of them');
  });

  it.each<[chosen: number, versions: TlsVersion[], says: RegExp]>([
    [0x0302, ['TLSv1.2', 'TLSv1.3'], /no newer version than TLS 1.1/],
    [0x0302, ['TLSv1.3'], /TLS 1.1|TLSv1.2/],
    [0x0303, ['TLSv1.3'], /chose TLSv1.2, which the option tlsVersions leaves out. Allow TLSv1.2 there/],
  ])('that chooses %i in its ServerHello, to a client of %s, is told', async (chosen, versions, says) => {
    const port = await saying(serverHello(chosen));
    const error = await failure(dialTcp(port), { versions });
    expect(error).toMatchObject({ code: 'ERR_TLS_PROTOCOL', message: expect.stringMatching(says) });
    expectWords(error?.message ?? '');
  });
});

/** Of ECDHE-ECDSA-AES128-GCM-SHA256, without extensions. */
function serverHello(version: number): Buffer {
  const body = Buffer.concat([
    Buffer.of(version >> 8, version & 0xff),
    Buffer.alloc(32, 1),
    Buffer.of(0, 0xc0, 0x2b, 0),
  ]);
  return record(22, Buffer.concat([Buffer.of(2, 0, 0, body.length), body]));
}

function record(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(type, 3, 3, content.length >> 8, content.length & 0xff), content]);
}

describe('what no server should say', () => {
  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['SMTP', '220 mail.example ESMTP\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a record of SSL 2', Buffer.of(0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0)],
  ])('%s is no TLS', async (_, said) => {
    const error = await failure(dialTcp(await saying(Buffer.from(said))));
    expect(error).toMatchObject({ code: 'ERR_TLS_PROTOCOL', message: expect.stringContaining('not TLS') });
    expectWords(error?.message ?? '');
  });

  it.each([
    ['a record that is too large', Buffer.of(22, 3, 3, 0xff, 0xff, 0, 0)],
    ['data before the handshake', record(23, Buffer.from('hello'))],
    ['an empty record', record(22, Buffer.alloc(0))],
    ['a message of no known kind', record(22, Buffer.of(99, 0, 0, 1, 0))],
    ['a ServerHello that ends early', record(22, Buffer.of(2, 0, 0, 1, 3))],
    ['a Finished', record(22, Buffer.of(20, 0, 0, 1, 3))],
    ['a message that is too large', record(22, Buffer.of(2, 0xff, 0xff, 0xff, 3))],
    ['an alert of one byte', record(21, Buffer.of(2))],
    ['an alert of no known level', record(21, Buffer.of(7, 40))],
    ['a change_cipher_spec', record(20, Buffer.of(2))],
    ['a heartbeat', record(24, Buffer.of(1, 0, 0))],
  ])('%s is told in words', async (_, said) => {
    const port = await portOf(
      createTcpServer(socket => socket.on('error', () => {}).once('data', () => socket.end(said))),
    );
    const error = await failure(dialTcp(port));
    expect(error?.code).toMatch(/^ERR_TLS_(PROTOCOL|ALERT|TRUNCATED)$/);
    expectWords(error?.message ?? '');
  });

  it.each<TlsVersion>(['TLSv1.2', 'TLSv1.3'])(
    'damage anywhere in a handshake over %s is told in words',
    async version => {
      // The patience of a server that waits for the rest of a record which seems longer now.
      const limits = { minVersion: version, maxVersion: version, handshakeTimeout: 300 };
      const port = await listen(limits);
      const codes = new Set<string>();
      for (let at = 0; at < 1_200; at += 11) {
        const error = await failure(damaged(dialTcp(port), at));
        if (!error) continue;
        codes.add(error.code);
        // These quote the certificate, damaged as it is.
        if (!/_CERT_/.test(error.code)) expectWords(error.message);
      }
      expect(codes).toContain('ERR_TLS_PROTOCOL');
    },
    60_000,
  );
});

/** Flips bits of one byte. */
function damaged({ readable, writable }: TunnelStream, at: number): TunnelStream {
  const reader = readable.getReader();
  let from = 0;
  return {
    readable: new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          const bytes = value.slice();
          const byte = bytes[at - from];
          from += bytes.length;
          if (byte !== undefined) bytes[at - from + bytes.length] = byte ^ 0x55;
          controller.enqueue(bytes);
        },
        cancel: reason => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    ),
    writable,
  };
}

it('each number of a breach has words, and so has one that is new', () => {
  for (const offered of [['TLSv1.2'], ['TLSv1.3'], ['TLSv1.2', 'TLSv1.3']] as TlsVersion[][])
    for (let number = 0; number < 256; number++) {
      const words = breachWords(number, offered);
      expect(words).toMatch(/^[a-z]/);
      expectWords(`It failed: ${words}.`);
    }
  const all = Array.from({ length: 24 }, (_, number) => breachWords(number, ['TLSv1.2', 'TLSv1.3']));
  // 0 and the number of what is no TLS have other words.
  expect(new Set(all).size).toBe(23);
});
