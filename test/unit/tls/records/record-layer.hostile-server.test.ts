import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TlsConnection } from '../../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../../src/tls/tls-engine.js';
import type { TunnelStream } from '../../../../src/tunnel/tunnel.js';
import { attacked, secretsOf } from '../../../support/attacked-tunnel.js';
import { engineModule } from '../../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { type AttackedSuite, type Protection, suites } from '../../../support/server-records.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';
import {
  ALERT,
  type Attack,
  DATA,
  type Harmless,
  harmless12,
  harmless13,
  type Refused,
  refused12,
  refused13,
  text,
  UNEXPECTED_MESSAGE,
  USER_CANCELED,
} from './support/record-attacks.js';

type Version = 'TLSv1.2' | 'TLSv1.3';

/** One whose records WebCrypto protects, and one whose records the engine protects. */
const suitesOf = (version: Version) =>
  (Object.keys(suites) as AttackedSuite[]).filter(it => suites[it].version === version);

let pki: OpensslPki;
let pair: KeyPair;
let engine: TlsEngine;
const servers = new Map<string, Promise<GreetingServer>>();

beforeAll(async () => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  engine = await TlsEngine.create(engineModule(), { anchors: [certificateDer(pki.ca.cert)] });
});

afterAll(async () => {
  for (const server of servers.values()) (await server).close();
  pki.close();
});

interface GreetingServer {
  port: number;
  /** Of the last connection. */
  secrets: Map<string, Buffer>;
  nextSocket(): Promise<TLSSocket>;
  close(): void;
}

/** A server that says `hello ` and echoes. */
async function startServer(suite: AttackedSuite, waits: boolean): Promise<GreetingServer> {
  const { version } = suites[suite];
  const limits = { ciphers: suite, minVersion: version, maxVersion: version };
  const accepted: ((socket: TLSSocket) => void)[] = [];
  const server = createServer({ ...pair, ...limits }, (socket: TLSSocket) => {
    accepted.shift()?.(socket);
    const greet = () => {
      socket.write('hello ');
      socket.pipe(socket);
    };
    if (waits) socket.once('data', greet);
    else greet();
  });
  server.on('tlsClientError', () => {});
  const secrets = secretsOf(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    secrets,
    nextSocket: () => new Promise(resolve => accepted.push(resolve)),
    close: () => server.close(),
  };
}

interface Scene {
  suite: AttackedSuite;
  attack: Attack<never>;
  /** In TLS 1.2 the server's first data comes along with the end of the handshake, unless it waits for the client's. */
  waits?: boolean;
  /** How the server's bytes arrive. Default: as they come. */
  arrive?: (stream: TunnelStream) => TunnelStream;
}

/** A connection to a server that is attacked behind its greeting; and the alert that the server gets. */
async function connect({ suite, attack, waits = false, arrive = it => it }: Scene) {
  const key = `${suite} ${waits}`;
  const starting = servers.get(key) ?? startServer(suite, waits);
  servers.set(key, starting);
  const { port, secrets, nextSocket } = await starting;
  secrets.clear();
  const accepted = nextSocket();
  const seal = (records: Protection) => attack(records as never);
  const stream = arrive(attacked(dialTcp(port), secrets, { suite, attack: seal }));
  const connection = await TlsConnection.connect(engine, stream, {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => undefined,
  });
  expect(connection.info.version).toBe(suites[suite].version);
  if (waits) {
    const writer = connection.writable.getWriter();
    await writer.write(text('!'));
    writer.releaseLock();
  }
  return { connection, alert: alertAt(await accepted) };
}

/** The number of the alert that ends a server's connection, as OpenSSL tells it. */
async function alertAt(socket: TLSSocket): Promise<number | undefined> {
  let alert: number | undefined;
  socket.on('error', ({ message }) => {
    const number = /no renegotiation/.test(message) ? 100 : /SSL alert number (\d+)/.exec(message)?.[1];
    if (number !== undefined) alert = Number(number);
  });
  await new Promise(resolve => socket.on('close', resolve));
  return alert;
}

/** What can be read, up to `ending` or the end; the error that ends it. */
async function readAll(connection: TlsConnection, ending?: string) {
  const reader = connection.readable.getReader();
  let read = '';
  try {
    while (ending === undefined || !read.endsWith(ending)) {
      const { done, value } = await reader.read();
      if (done) return { read, code: 'end', message: '' };
      read += Buffer.from(value).toString();
    }
    return { read, code: 'goes on', message: '' };
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { read, code, message };
  }
}

/** All that an attack comes to. */
async function outcome(scene: Scene) {
  const { connection, alert } = await connect(scene);
  const told = await readAll(connection);
  const writing = connection.writable.getWriter().write(Uint8Array.of(1));
  const written = await writing.then(
    () => 'written',
    ({ code }) => code,
  );
  return { ...told, written, alert: await alert };
}

/** Node's tunnels bring what the socket read; others cut it otherwise. */
function inPieces(stream: TunnelStream): TunnelStream {
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      const size = chunk.length > 5_000 ? 997 : 3;
      for (let at = 0; at < chunk.length; at += size) controller.enqueue(chunk.subarray(at, at + size));
    },
  });
  return { readable: stream.readable.pipeThrough(cut), writable: stream.writable };
}

/** The server's bytes, with warnings in the clear in front of them. */
function behindWarnings(count: number) {
  const records = Array.from({ length: count }, () => [ALERT, 3, 3, 0, 2, 1, USER_CANCELED]);
  const front = new TransformStream<Uint8Array, Uint8Array>({
    start: controller => controller.enqueue(Uint8Array.from(records.flat())),
  });
  return ({ readable, writable }: TunnelStream) => ({ readable: readable.pipeThrough(front), writable });
}

const kinds: {
  version: Version;
  when: string;
  parts: Pick<Scene, 'waits' | 'arrive'>;
  harmless: Harmless<never>[];
  refused: Refused<never>[];
}[] = [
  { version: 'TLSv1.3', when: 'at once', parts: {}, harmless: harmless13, refused: refused13 },
  {
    version: 'TLSv1.3',
    when: 'in pieces',
    parts: { arrive: inPieces },
    harmless: harmless13,
    refused: refused13,
  },
  {
    version: 'TLSv1.2',
    when: 'along with its end',
    parts: {},
    harmless: harmless12,
    refused: refused12,
  },
  {
    version: 'TLSv1.2',
    when: 'later, in pieces',
    parts: { waits: true, arrive: inPieces },
    harmless: harmless12,
    refused: refused12,
  },
];

describe.each(kinds)(
  'whoever protects the records, behind a handshake over $version, $when,',
  ({ version, parts, harmless, refused }) => {
    it.each(harmless)('a server may send $name', async ({ attack }) => {
      for (const suite of suitesOf(version)) {
        const { connection, alert } = await connect({ suite, attack, ...parts });
        const told = await readAll(connection, 'world');
        expect(told).toMatchObject({ read: expect.stringMatching(/^hello \.*world$/), code: 'goes on' });
        connection.abort(new Error('done'));
        await alert;
      }
    });

    it.each(refused)('$name ends the connection, behind what came before', async it => {
      const { attack, alert, code = 'ERR_TLS_PROTOCOL' } = it;
      const outcomes = [];
      for (const suite of suitesOf(version)) outcomes.push(await outcome({ suite, attack, ...parts }));
      const [webCrypto, engines] = outcomes;
      expect(webCrypto).toMatchObject({ code, alert, written: code });
      expect(webCrypto?.read).toMatch(/^hello x{0,4}$/);
      expect(engines).toEqual(webCrypto);
    });
  },
);

describe.each(suitesOf('TLSv1.2'))('with %s, a warning of the handshake counts', suite => {
  const warnings = (count: number) => (r: { seal(type: number, content: Buffer): Buffer }) => [
    ...Array.from({ length: count }, () => r.seal(ALERT, Buffer.of(1, USER_CANCELED))),
    r.seal(DATA, text('world')),
  ];

  it.each([0, 1, 4])('among four in all: %i in the handshake', async early => {
    const arrive = behindWarnings(early);
    const { connection, alert } = await connect({ suite, attack: warnings(4 - early), arrive });
    expect(await readAll(connection, 'world')).toMatchObject({ read: 'hello world', code: 'goes on' });
    connection.abort(new Error('done'));
    await alert;
  });

  it.each([1, 4])('and a fifth ends the connection: %i in the handshake', async early => {
    const arrive = behindWarnings(early);
    expect(await outcome({ suite, attack: warnings(5 - early), arrive })).toMatchObject({
      read: 'hello ',
      code: 'ERR_TLS_PROTOCOL',
      alert: UNEXPECTED_MESSAGE,
    });
  });
});

describe.each(suitesOf('TLSv1.3'))('with %s', suite => {
  it('close_notify ends the reading, and nothing that comes behind it is read', async () => {
    const attack: Attack = r => [r.seal(ALERT, Buffer.of(1, 0)), r.seal(DATA, text('too late'))];
    const { connection } = await connect({ suite, attack });
    expect(await readAll(connection)).toMatchObject({ read: 'hello ', code: 'end' });
    const writer = connection.writable.getWriter();
    await writer.write(text('still heard'));
    await writer.close();
  });
});
