import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TlsConnection } from '../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../src/tls/tls-engine.js';
import type { TunnelStream } from '../../../src/tunnel/tunnel.js';
import { engineModule } from '../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { dialTcp } from '../../support/tcp-tunnel.js';

const ALERT = 21;
const HANDSHAKE = 22;
const DATA = 23;

/** Both have SHA-256; WebCrypto does the records of the first, the engine those of the second. */
const suites = {
  TLS_AES_128_GCM_SHA256: { name: 'aes-128-gcm', keyBytes: 16 },
  TLS_CHACHA20_POLY1305_SHA256: { name: 'chacha20-poly1305', keyBytes: 32 },
} as const;
type Suite = keyof typeof suites;

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

/** RFC 8446 section 7.1, with an empty context and at most 32 bytes. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0, 1)]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

/** The server's side of the record protection, from its logged secret. */
class ServerRecords {
  #suite: (typeof suites)[Suite];
  #secret: Buffer;
  #sequence = 0n;

  constructor(suite: Suite, secret: Buffer) {
    this.#suite = suites[suite];
    this.#secret = secret;
  }

  seal(type: number, content: Uint8Array): Buffer {
    return this.sealInner(Buffer.concat([content, Buffer.of(type)]));
  }

  /** The content with its type and padding. */
  sealInner(inner: Uint8Array): Buffer {
    const header = Buffer.of(DATA, 3, 3, 0, 0);
    header.writeUInt16BE(inner.length + 16, 3);
    const { key, nonce } = this.#protection();
    const cipher = createCipheriv(this.#suite.name as 'aes-128-gcm', key, nonce, { authTagLength: 16 });
    cipher.setAAD(header, { plaintextLength: inner.length });
    const sealed = Buffer.concat([cipher.update(inner), cipher.final()]);
    this.#sequence++;
    return Buffer.concat([header, sealed, cipher.getAuthTag()]);
  }

  /** Undefined: not under these keys. */
  open(record: Buffer): Buffer | undefined {
    const { key, nonce } = this.#protection();
    const decipher = createDecipheriv(this.#suite.name as 'aes-128-gcm', key, nonce, { authTagLength: 16 });
    decipher.setAAD(record.subarray(0, 5), { plaintextLength: record.length - 21 });
    decipher.setAuthTag(record.subarray(-16));
    try {
      const inner = Buffer.concat([decipher.update(record.subarray(5, -16)), decipher.final()]);
      this.#sequence++;
      return inner;
    } catch {
      return undefined;
    }
  }

  nextKeys(): void {
    this.#secret = expandLabel(this.#secret, 'traffic upd', 32);
    this.#sequence = 0n;
  }

  #protection(): { key: Buffer; nonce: Buffer } {
    const nonce = Buffer.from(expandLabel(this.#secret, 'iv', 12));
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ this.#sequence, 4);
    return { key: expandLabel(this.#secret, 'key', this.#suite.keyBytes), nonce };
  }
}

type Attack = (records: ServerRecords) => Uint8Array[];

/**
 * A tunnel to a server that, behind its own first word, sends what `attack` makes. All is sealed as the server would.
 */
function attacked(stream: TunnelStream, secretOf: () => Buffer, options: { suite: Suite; attack: Attack }) {
  const reader = stream.readable.getReader();
  let [incoming, opening, sealing] = [Buffer.alloc(0), undefined, undefined] as [
    Buffer,
    ServerRecords | undefined,
    ServerRecords | undefined,
  ];
  let attacking = true;
  const relayed = (record: Buffer): Buffer[] => {
    if (record[0] !== DATA) return [record];
    opening ??= new ServerRecords(options.suite, secretOf());
    sealing ??= new ServerRecords(options.suite, secretOf());
    const inner = opening.open(record);
    if (!inner) return [record];
    const own = sealing.sealInner(inner);
    if (!attacking || inner.at(-1) !== DATA) return [own];
    attacking = false;
    return [own, ...options.attack(sealing).map(bytes => Buffer.from(bytes))];
  };
  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        incoming = Buffer.concat([incoming, value]);
        const records: Buffer[] = [];
        while (incoming.length >= 5 && incoming.length >= 5 + incoming.readUInt16BE(3)) {
          const end = 5 + incoming.readUInt16BE(3);
          records.push(...relayed(incoming.subarray(0, end)));
          incoming = incoming.subarray(end);
        }
        controller.enqueue(Buffer.concat(records));
      },
      cancel: reason => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { readable, writable: stream.writable };
}

/** A connection to a server that says `hello`, is then attacked, and echoes. */
async function connect(suite: Suite, attack: Attack): Promise<TlsConnection> {
  let secret = Buffer.alloc(0);
  const server = createServer({ ...pair, ciphers: suite, minVersion: 'TLSv1.3' }, (socket: TLSSocket) => {
    socket.on('error', () => {});
    socket.write('hello ');
    socket.pipe(socket);
  });
  server.on('tlsClientError', () => {});
  server.on('keylog', line => {
    const [label, , value] = line.toString().trim().split(' ');
    if (label === 'SERVER_TRAFFIC_SECRET_0') secret = Buffer.from(value ?? '', 'hex');
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const engine = await TlsEngine.create(engineModule(), { anchors: [certificateDer(pki.ca.cert)] });
  const stream = attacked(dialTcp(port), () => secret, { suite, attack });
  const connection = await TlsConnection.connect(engine, stream, {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => undefined,
  });
  expect(connection.info.cipherSuite).toBe(suite);
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
const askForNewKeys = (records: ServerRecords): Buffer => {
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

describe.each(Object.keys(suites) as Suite[])('after a handshake with %s', suite => {
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
