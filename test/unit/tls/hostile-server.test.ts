import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TlsConnection } from '../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../src/tls/tls-engine.js';
import { type Attack as AnyAttack, attacked, secretsOf } from '../../support/attacked-tunnel.js';
import { engineModule } from '../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import {
  type AttackedSuite,
  type Protection,
  type ServerRecords13,
  suites,
} from '../../support/server-records.js';
import { dialTcp } from '../../support/tcp-tunnel.js';

const ALERT = 21;
const HANDSHAKE = 22;
const DATA = 23;

type Attack = AnyAttack<ServerRecords13>;

const suitesOf = (version: 'TLSv1.2' | 'TLSv1.3') =>
  (Object.keys(suites) as AttackedSuite[]).filter(it => suites[it].version === version);

let pki: OpensslPki;
let pair: KeyPair;
const servers: Server[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
});

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => pki.close());

/**
 * A connection to a server that says `hello`, is then attacked, and echoes. In TLS 1.2 that comes along with the end of the
 * handshake, unless the server is to wait for the client's first byte.
 */
async function connect<Records extends Protection>(
  suite: AttackedSuite,
  attack: AnyAttack<Records>,
  waits = false,
): Promise<TlsConnection> {
  const { version } = suites[suite];
  const limits = { ciphers: suite, minVersion: version, maxVersion: version };
  const server = createServer({ ...pair, ...limits }, (socket: TLSSocket) => {
    socket.on('error', () => {});
    const greet = () => {
      socket.write('hello ');
      socket.pipe(socket);
    };
    if (waits) socket.once('data', greet);
    else greet();
  });
  server.on('tlsClientError', () => {});
  const secrets = secretsOf(server);
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const engine = await TlsEngine.create(engineModule(), { anchors: [certificateDer(pki.ca.cert)] });
  const stream = attacked(dialTcp(port), secrets, { suite, attack });
  const connection = await TlsConnection.connect(engine, stream, {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => undefined,
  });
  expect(connection.info.version).toBe(version);
  if (waits) {
    const writer = connection.writable.getWriter();
    await writer.write(text('!'));
    writer.releaseLock();
  }
  return connection;
}

/** What can be read, up to `ending` or the end; the code of the error that ends it. */
async function outcome(connection: TlsConnection, ending?: string): Promise<{ text: string; code: string }> {
  const reader = connection.readable.getReader();
  let text = '';
  try {
    while (ending === undefined || !text.endsWith(ending)) {
      const { done, value } = await reader.read();
      if (done) return { text, code: 'end' };
      text += Buffer.from(value).toString();
    }
    return { text, code: 'goes on' };
  } catch (error) {
    return { text, code: (error as { code: string }).code };
  }
}

const text = (value: string) => Buffer.from(value);
const message = (type: number, body: Uint8Array) => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length + type * 2 ** 24);
  return Buffer.concat([header, body]);
};
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const keyUpdate = (request: number) => message(24, Buffer.of(request));
const askForNewKeys = (records: ServerRecords13): Buffer => {
  const asked = records.seal(HANDSHAKE, keyUpdate(1));
  records.nextKeys();
  return asked;
};
/** RFC 8446 section 4.6.1: an hour, no offset, a nonce of one byte, a ticket, no extensions. */
const ticket = (nonce: number) =>
  message(
    4,
    Buffer.concat([
      Buffer.of(0, 0, 14, 16, 0, 0, 0, 0, 1, nonce, 0, 32),
      Buffer.alloc(32, nonce),
      Buffer.of(0, 0),
    ]),
  );

/** RFC 8446 section 4.3.2: a context of four bytes, and ecdsa_secp256r1_sha256. */
const certificateRequest = message(13, Buffer.of(4, 1, 2, 3, 4, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3));

const harmless: [name: string, attack: Attack][] = [
  ['data cut into records of one byte', r => [...text('world')].map(byte => r.seal(DATA, Buffer.of(byte)))],
  [
    'padded records',
    r => [r.sealInner(Buffer.concat([text('world'), Buffer.of(DATA), Buffer.alloc(16_384 - 5)]))],
  ],
  [
    '32 records without content',
    r => [...times(32, () => r.seal(DATA, text(''))), r.seal(DATA, text('world'))],
  ],
  [
    'four times the alert user_canceled',
    r => [...times(4, () => r.seal(ALERT, Buffer.of(1, 90))), r.seal(DATA, text('world'))],
  ],
  ['the alert user_canceled', r => [r.seal(ALERT, Buffer.of(1, 90)), r.seal(DATA, text('world'))]],
  [
    '500 session tickets',
    r => [...times(500, i => r.seal(HANDSHAKE, ticket(i % 256))), r.seal(DATA, text('world'))],
  ],
  [
    'a session ticket cut into records of one byte',
    r => [...[...ticket(1)].map(byte => r.seal(HANDSHAKE, Buffer.of(byte))), r.seal(DATA, text('world'))],
  ],
  [
    'a key update cut into records of one byte',
    r => {
      const cut = [...keyUpdate(0)].map(byte => r.seal(HANDSHAKE, Buffer.of(byte)));
      r.nextKeys();
      return [...cut, r.seal(DATA, text('world'))];
    },
  ],
  ['32 requests for new keys', r => [...times(32, () => askForNewKeys(r)), r.seal(DATA, text('world'))]],
  [
    'more requests for new keys, with data between them',
    r => [
      ...times(40, () => [askForNewKeys(r), r.seal(DATA, text('.'))]).flat(),
      r.seal(DATA, text(' world')),
    ],
  ],
];

const fatal: [name: string, code: string, attack: Attack][] = [
  ['the alert internal_error', 'ERR_TLS_ALERT', r => [r.seal(ALERT, Buffer.of(2, 80))]],
  ['an error alert that says it is a warning', 'ERR_TLS_ALERT', r => [r.seal(ALERT, Buffer.of(1, 80))]],
  [
    'the alert user_canceled for the fifth time',
    'ERR_TLS_PROTOCOL',
    r => times(5, () => r.seal(ALERT, Buffer.of(1, 90))),
  ],
  [
    'a request for a certificate, which was not agreed to',
    'ERR_TLS_RENEGOTIATION',
    r => [r.seal(HANDSHAKE, certificateRequest)],
  ],
  ['half an alert', 'ERR_TLS_PROTOCOL', r => [r.seal(ALERT, Buffer.of(2))]],
  ['a record with too much content', 'ERR_TLS_PROTOCOL', r => [r.seal(DATA, Buffer.alloc(16_385))]],
  ['a record that announces too much', 'ERR_TLS_PROTOCOL', () => [Buffer.of(DATA, 3, 3, 0xff, 0xff)]],
  ['a record of zeros only', 'ERR_TLS_PROTOCOL', r => [r.sealInner(Buffer.alloc(16))]],
  ['a record of an unknown type', 'ERR_TLS_PROTOCOL', r => [r.seal(99, text('x'))]],
  [
    'a record in the clear',
    'ERR_TLS_PROTOCOL',
    () => [Buffer.concat([Buffer.of(DATA, 3, 3, 0, 32), Buffer.alloc(32)])],
  ],
  [
    'a record that is sealed twice over',
    'ERR_TLS_PROTOCOL',
    r => {
      const record = r.seal(DATA, text('x'));
      return [record, record];
    },
  ],
  ['a key update that means nothing', 'ERR_TLS_PROTOCOL', r => [r.seal(HANDSHAKE, keyUpdate(2))]],
  [
    'a key update that is not the end of its record',
    'ERR_TLS_PROTOCOL',
    r => [r.seal(HANDSHAKE, Buffer.concat([keyUpdate(0), ticket(1)]))],
  ],
  [
    'old keys behind a key update',
    'ERR_TLS_PROTOCOL',
    r => [r.seal(HANDSHAKE, keyUpdate(0)), r.seal(DATA, text('x'))],
  ],
  ['a damaged session ticket', 'ERR_TLS_PROTOCOL', r => [r.seal(HANDSHAKE, message(4, Buffer.of(1, 2, 3)))]],
  [
    'data within a handshake message',
    'ERR_TLS_PROTOCOL',
    r => [r.seal(HANDSHAKE, ticket(1).subarray(0, 9)), r.seal(DATA, text('x'))],
  ],
  [
    'a 33rd record in a row without content',
    'ERR_TLS_PROTOCOL',
    r => times(33, () => r.seal(DATA, text(''))),
  ],
  ['a 33rd request for new keys without data', 'ERR_TLS_PROTOCOL', r => times(33, () => askForNewKeys(r))],
  ['a second Finished', 'ERR_TLS_PROTOCOL', r => [r.seal(HANDSHAKE, message(20, Buffer.alloc(32)))]],
  ['a second ServerHello', 'ERR_TLS_PROTOCOL', r => [r.seal(HANDSHAKE, message(2, Buffer.alloc(70)))]],
  [
    'a handshake message without end',
    'ERR_TLS_PROTOCOL',
    r => {
      const endless = Buffer.concat([Buffer.of(4, 0xff, 0xff, 0xff), Buffer.alloc(100_000)]);
      return times(7, i => r.seal(HANDSHAKE, endless.subarray(i * 16_000, (i + 1) * 16_000)));
    },
  ],
];

describe.each(suitesOf('TLSv1.3'))('after a handshake with %s', suite => {
  it.each(harmless)('a server may send %s', async (_, attack) => {
    const connection = await connect(suite, attack);
    expect(await outcome(connection, 'world')).toEqual({
      text: expect.stringMatching(/^hello \.* ?world$/),
      code: 'goes on',
    });
  });

  it.each(fatal)('%s ends the connection, behind what came before', async (_, code, attack) => {
    const connection = await connect(suite, attack);
    const ended = await outcome(connection);
    expect(ended.code).toBe(code);
    expect(ended.text).toMatch(/^hello x?$/);
    await expect(connection.writable.getWriter().write(Uint8Array.of(1))).rejects.toMatchObject({ code });
  });

  it('close_notify ends the reading, and nothing that comes behind it is read', async () => {
    const attack: Attack = r => [r.seal(ALERT, Buffer.of(1, 0)), r.seal(DATA, text('too late'))];
    const connection = await connect(suite, attack);
    expect(await outcome(connection)).toEqual({ text: 'hello ', code: 'end' });
    const writer = connection.writable.getWriter();
    await writer.write(text('still heard'));
    await writer.close();
  });
});

/** no_renegotiation, as a warning. */
const warning = Buffer.of(1, 100);
const helloRequest = message(0, Buffer.alloc(0));

describe.each(
  suitesOf('TLSv1.2').flatMap(suite => [
    [suite, 'along with its end', false] as const,
    [suite, 'later', true] as const,
  ]),
)('after a handshake with %s, %s', (suite, _, waits) => {
  it('a server may send four warnings', async () => {
    const attack: AnyAttack = r => [...times(4, () => r.seal(ALERT, warning)), r.seal(DATA, text('world'))];
    const connection = await connect(suite, attack, waits);
    expect(await outcome(connection, 'world')).toEqual({ text: 'hello world', code: 'goes on' });
  });

  const attacks: [name: string, code: string, attack: AnyAttack][] = [
    ['a fifth warning', 'ERR_TLS_PROTOCOL', r => times(5, () => r.seal(ALERT, warning))],
    [
      'a fifth warning, with data between them',
      'ERR_TLS_PROTOCOL',
      r => times(5, () => [r.seal(ALERT, warning), r.seal(DATA, text('x'))]).flat(),
    ],
    ['the alert internal_error', 'ERR_TLS_ALERT', r => [r.seal(ALERT, Buffer.of(2, 80))]],
    ['a request for another handshake', 'ERR_TLS_RENEGOTIATION', r => [r.seal(HANDSHAKE, helloRequest)]],
  ];
  it.each(attacks)('%s ends the connection, behind what came before', async (name, code, attack) => {
    const connection = await connect(suite, attack, waits);
    const ended = await outcome(connection);
    expect([name, ended.code]).toEqual([name, code]);
    expect(ended.text).toMatch(/^hello x{0,4}$/);
    await expect(connection.writable.getWriter().write(Uint8Array.of(1))).rejects.toMatchObject({ code });
  });
});
