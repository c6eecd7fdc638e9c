import { once } from 'node:events';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MtlsError } from '../../../../src/errors.js';
import { TlsConnection } from '../../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../../src/tls/tls-engine.js';
import type { TlsConnectOptions, TlsVersion } from '../../../../src/tls/types.js';
import type { TunnelStream } from '../../../../src/tunnel/tunnel.js';
import { ALTERED_SUITE, type Alter, altered } from '../../../support/altered-handshake.js';
import { secretsOf } from '../../../support/attacked-tunnel.js';
import { credentialOfPair } from '../../../support/credential.js';
import { engineModule } from '../../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';

const CHANGE_CIPHER_SPEC = 20;
const HANDSHAKE = 22;
const DATA = 23;
const FINISHED = 20;
const CLOSE_NOTIFY = [21, 3, 3, 0, 2, 1, 0];
const USER_CANCELED = [21, 3, 3, 0, 2, 1, 90];

let pki: OpensslPki;
let pair: KeyPair;
let client: KeyPair;
const servers: (Server | TcpServer)[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  client = pki.issue({ subject: '/CN=client' });
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => pki.close());

async function portOf(server: Server | TcpServer): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A TLS server that asks for a certificate, unless told otherwise; what its handshakes fail with, and how its sockets end. */
async function listen(version: TlsVersion, ciphers?: string, requestCert = true) {
  const limits = { minVersion: version, maxVersion: version, requestCert, rejectUnauthorized: false };
  const server = createServer({ ...pair, ca: pki.ca.cert, ...limits, ...(ciphers && { ciphers }) }, socket =>
    socket.on('error', () => {}),
  );
  const errors: string[] = [];
  server.on('tlsClientError', error => errors.push(String((error as { code?: string }).code)));
  const ends: string[] = [];
  server.on('connection', (socket: Socket) => {
    socket.on('error', error => ends.push((error as NodeJS.ErrnoException).code ?? ''));
    socket.on('close', () => ends.push('closed'));
  });
  const secrets = secretsOf(server);
  return { port: await portOf(server), errors, ends, secrets };
}

async function failure(
  port: number,
  {
    alter,
    secrets = new Map(),
    stream = dialTcp(port),
    ...options
  }: Partial<TlsConnectOptions> & { alter?: Alter; secrets?: Map<string, Buffer>; stream?: TunnelStream },
): Promise<unknown> {
  const engine = await TlsEngine.create(engineModule(), {
    anchors: [certificateDer(pki.ca.cert)],
    evaluateServers: options.evaluateServer !== undefined,
  });
  const heard = alter ? altered(stream, { secrets, alter }) : stream;
  const connecting = TlsConnection.connect(engine, heard, {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => credentialOfPair(client),
    ...options,
  });
  return connecting.then(
    () => expect.fail('it worked'),
    error => error,
  );
}

/** The server's first flight, which has more records than its ServerHello, as one piece. */
function inOnePiece({ readable, writable }: TunnelStream): TunnelStream {
  let flight = Buffer.alloc(0);
  const joined = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      flight = Buffer.concat([flight, chunk]);
      if (recordsOf(flight).length > 2) controller.enqueue(flight);
    },
  });
  return { readable: readable.pipeThrough(joined), writable };
}

function recordByRecord({ readable, writable }: TunnelStream): TunnelStream {
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    async transform(chunk, controller) {
      for (const record of recordsOf(chunk)) {
        controller.enqueue(record);
        await sleep(20);
      }
    },
  });
  return { readable: readable.pipeThrough(cut), writable };
}

function recordsOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: Uint8Array[] = [];
  for (let at = 0, end = 0; at < bytes.length; at = end) {
    end = at + 5 + view.getUint16(at + 3);
    records.push(bytes.subarray(at, end));
  }
  return records;
}

/** Notes the types of the records that the client writes. */
function watched({ readable, writable }: TunnelStream, types: number[]): TunnelStream {
  const watching = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      types.push(...recordsOf(chunk).map(([type = 0]) => type));
      controller.enqueue(chunk);
    },
  });
  watching.readable.pipeTo(writable).catch(() => {});
  return { readable, writable: watching.writable };
}

const error = (code: ConstructorParameters<typeof MtlsError>[0]) => new MtlsError(code, 'It is so.');

const suites = [
  ['TLSv1.2', undefined],
  ['TLSv1.3', 'TLS_AES_128_GCM_SHA256'],
  ['TLSv1.3', 'TLS_AES_256_GCM_SHA384'],
  ['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256'],
] as const;

describe.each(suites)(
  'over %s, %s, the server gets an alert when the page ends the handshake',
  (version, ciphers) => {
    it.each<[what: string, answers: Partial<TlsConnectOptions>, alert: RegExp]>([
      [
        'because it does not trust the server',
        { evaluateServer: () => Promise.reject(error('ERR_TLS_CERT_UNTRUSTED')) },
        /ALERT_CERTIFICATE_UNKNOWN$/,
      ],
      [
        "because it cannot read the server's certificate",
        { evaluateServer: () => Promise.reject(error('ERR_CERT_MALFORMED')) },
        /ALERT_BAD_CERTIFICATE$/,
      ],
      [
        'by a callback that fails',
        { authenticate: () => Promise.reject(new Error('no')) },
        /ALERT_INTERNAL_ERROR$/,
      ],
      [
        'by a key that does not sign',
        {
          authenticate: async () => ({
            ...credentialOfPair(client),
            sign: () => Promise.reject(new Error('no key')),
          }),
        },
        /ALERT_INTERNAL_ERROR$/,
      ],
    ])('%s', async (_, answers, alert) => {
      const { port, errors, ends } = await listen(version, ciphers);
      await failure(port, answers);
      await expect.poll(() => errors).toEqual([expect.stringMatching(alert)]);
      await expect.poll(() => ends).toContain('closed');
      expect(ends).not.toContain('ECONNRESET');
    });

    it.each<[what: string, answers: Partial<TlsConnectOptions>]>([
      ['by an answer', { authenticate: () => Promise.reject(error('ERR_TLS_CHALLENGE_CANCELLED')) }],
      ['by an abort while the server is judged', { evaluateServer: () => new Promise<never>(() => {}) }],
      ['by an abort while a certificate is chosen', { authenticate: () => new Promise<never>(() => {}) }],
    ])('that it cancels %s, and no reset', async (_, answers) => {
      const { port, ends } = await listen(version, ciphers);
      const abandon = new AbortController();
      setTimeout(() => abandon.abort(new Error('enough')), 200);
      await failure(port, { ...answers, signal: abandon.signal });
      await expect.poll(() => ends).toContain('closed');
      expect(ends).not.toContain('ECONNRESET');
    });
  },
);

describe('over TLS 1.3, in front of the alert', () => {
  const evaluateServer = () => Promise.reject(error('ERR_TLS_CERT_UNTRUSTED'));

  const inBytes = (stream: TunnelStream, secrets: Map<string, Buffer>) =>
    altered(stream, { secrets, alter: content => Array.from(content, byte => Buffer.of(byte)) });

  it.each<[how: string, cut: (stream: TunnelStream, secrets: Map<string, Buffer>) => TunnelStream]>([
    ['that comes at once', inOnePiece],
    ['that comes record by record', recordByRecord],
    ['that comes in records of one byte', inBytes],
  ])('stands one change_cipher_spec, as middleboxes expect, behind a flight %s', async (_, cut) => {
    const { port, secrets } = await listen('TLSv1.3', ALTERED_SUITE, false);
    const types: number[] = [];
    const stream = watched(cut(dialTcp(port), secrets), types);
    await failure(port, { evaluateServer, stream });
    await expect.poll(() => types).toEqual([HANDSHAKE, CHANGE_CIPHER_SPEC, DATA]);
  });
});

describe('a server that has said nothing', () => {
  /** What a TCP server gets, and how the connection ends there. */
  async function listener() {
    const received: number[] = [];
    const ends: string[] = [];
    const server = createTcpServer(socket => {
      socket.on('data', chunk => received.push(...chunk));
      socket.on('end', () => ends.push('end'));
      socket.on('error', cause => ends.push((cause as NodeJS.ErrnoException).code ?? ''));
    });
    return { port: await portOf(server), received, ends };
  }

  it('gets the alert in the clear, behind the ClientHello, and then the end', async () => {
    const { port, received, ends } = await listener();
    const abandon = new AbortController();
    setTimeout(() => abandon.abort(new Error('enough')), 100);
    expect(await failure(port, { signal: abandon.signal })).toMatchObject({ message: 'enough' });
    await expect.poll(() => ends).toEqual(['end']);
    expect(received[0]).toBe(22);
    expect(received.slice(-14)).toEqual([...USER_CANCELED, ...CLOSE_NOTIFY]);
  });

  it('gets nothing when the handshake was given up before its beginning', async () => {
    const { port, received } = await listener();
    const reason = new Error('too late');
    expect(await failure(port, { signal: AbortSignal.abort(reason) })).toBe(reason);
    expect(received).toEqual([]);
  });
});

describe('a failure with more behind it', () => {
  it.each<[what: string, behind: Buffer]>([
    ['the beginning of a message', Buffer.of(4, 0, 0, 9)],
    ['a whole message', Buffer.of(24, 0, 0, 1, 0)],
  ])('in the record of the Finished (%s) is told to the server', async (_, behind) => {
    const { port, errors, secrets } = await listen('TLSv1.3', ALTERED_SUITE);
    const alter: Alter = content => [content[0] === FINISHED ? Buffer.concat([content, behind]) : content];
    expect(await failure(port, { alter, secrets })).toMatchObject({ code: 'ERR_TLS_PROTOCOL' });
    await expect.poll(() => errors).toEqual([expect.stringMatching(/ALERT_UNEXPECTED_MESSAGE$/)]);
  });

  it.each<[what: string, behind: Buffer[]]>([
    ['more records', Array.from({ length: 50 }, (_, i) => Buffer.of(4, 0, 0, 1, i))],
    ['a record', [Buffer.of(4, 0, 0, 1, 1)]],
  ])('in records behind it (%s) is told to the server', async (_, behind) => {
    const { port, errors, secrets } = await listen('TLSv1.3', ALTERED_SUITE);
    const broken = Buffer.of(FINISHED, 0, 0, 32, ...Buffer.alloc(32));
    const alter: Alter = content => (content[0] === FINISHED ? [broken, ...behind] : [content]);
    await failure(port, { alter, secrets });
    await expect.poll(() => errors).toEqual([expect.stringMatching(/ALERT_DECRYPT_ERROR$/)]);
  });
});
