import { createCipheriv, randomBytes, randomInt } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { Instance } from '../../../../src/engine/instance.js';
import { type ExchangeListener, HttpEngine } from '../../../../src/http/http-engine.js';
import { EngineCipher } from '../../../../src/tls/ciphers/engine-cipher.js';
import { ContentType, type RecordCipher } from '../../../../src/tls/ciphers/record-cipher.js';
import { RecordEngine } from '../../../../src/tls/ciphers/record-engine.js';
import { Algorithm, type TrafficKeys } from '../../../../src/tls/ciphers/traffic-keys.js';
import { WebCryptoCipher } from '../../../../src/tls/ciphers/web-crypto-cipher.js';
import type { ExternalConnection } from '../../../../src/tls/records/external-connection.js';
import { RecordLayer } from '../../../../src/tls/records/record-layer.js';
import type { TlsVersion } from '../../../../src/tls/types.js';
import { DATA_HEADER_BYTES } from '../../../../src/tunnel/wire/limits.js';
import { engineModule } from '../../../support/engine.js';

const TAG_BYTES = 16;
const FULL = 16_384;
const { alert: ALERT, handshake: HANDSHAKE, applicationData: DATA } = ContentType;

interface Suite {
  version: TlsVersion;
  algorithm: Algorithm;
  keyBytes: number;
  /** By its name in OpenSSL. */
  cipher: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305';
}

const suites: [string, Suite][] = (['TLSv1.2', 'TLSv1.3'] as const).flatMap(version => [
  [`${version}, AES-128-GCM`, { version, algorithm: Algorithm.aesGcm, keyBytes: 16, cipher: 'aes-128-gcm' }],
  [`${version}, AES-256-GCM`, { version, algorithm: Algorithm.aesGcm, keyBytes: 32, cipher: 'aes-256-gcm' }],
  [
    `${version}, ChaCha20-Poly1305`,
    { version, algorithm: Algorithm.chacha20Poly1305, keyBytes: 32, cipher: 'chacha20-poly1305' },
  ],
]);

const exchangeListener: ExchangeListener = {
  onBodyWanted: () => {},
  onBodyStopped: () => {},
  onHead: () => {},
  onData: () => {},
  onEnd: () => {},
  onFailed: () => {},
};

let engine: RecordEngine;

beforeAll(async () => {
  engine = new RecordEngine(await Instance.create(engineModule()));
});

/** The cipher's ways of sealing or opening: by the engine, and by WebCrypto where that has the suite. */
async function paths(suite: Suite, keys: TrafficKeys, use: 'encrypt' | 'decrypt'): Promise<RecordCipher[]> {
  // Each wipes the bytes that it gets.
  const copy = () => ({ ...keys, key: keys.key.slice() });
  const byEngine = new EngineCipher(engine, suite.version, copy());
  if (suite.algorithm === Algorithm.chacha20Poly1305) return [byEngine];
  return [byEngine, await WebCryptoCipher.create(suite.version, copy(), { use, engine })];
}

function newKeys({ algorithm, keyBytes }: Suite, sequence: number): TrafficKeys {
  const bytes = (length: number) => Uint8Array.from(randomBytes(length));
  return { sequence, algorithm, key: bytes(keyBytes), iv: bytes(12) };
}

function recordHeader(type: number, length: number): Buffer {
  const header = Buffer.of(type, 3, 3, 0, 0);
  header.writeUInt16BE(length, 3);
  return header;
}

/** One record by OpenSSL. `number` counts from the keys' first. */
function sealed(
  { version, algorithm, cipher: name }: Suite,
  { key, iv, sequence }: TrafficKeys,
  { number, type, content }: { number: number; type: number; content: Uint8Array },
): Buffer {
  const at = Buffer.alloc(8);
  at.writeBigUInt64BE(BigInt(sequence + number));
  const nonce = Buffer.from(iv);
  nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ at.readBigUInt64BE(), 4);
  const cipher = createCipheriv(name as 'aes-128-gcm', key, nonce, { authTagLength: TAG_BYTES });
  const inner = version === 'TLSv1.3' ? Buffer.concat([content, Buffer.of(type)]) : content;
  const explicit =
    version === 'TLSv1.2' && algorithm === Algorithm.aesGcm ? nonce.subarray(4) : Buffer.alloc(0);
  const header = recordHeader(
    version === 'TLSv1.3' ? DATA : type,
    explicit.length + inner.length + TAG_BYTES,
  );
  const legacy = Buffer.concat([at, recordHeader(type, content.length)]);
  cipher.setAAD(version === 'TLSv1.3' ? header : legacy, { plaintextLength: inner.length });
  return Buffer.concat([header, explicit, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
}

/** All that comes of records, in order, and what ends it. */
async function outcome(cipher: RecordCipher, records: Uint8Array[]): Promise<string[]> {
  const seen: string[] = [];
  let data = '';
  const tell = (entry: string) => {
    if (data) seen.push(data);
    data = '';
    seen.push(entry);
  };
  for (let left = records; left.length > 0; ) {
    const { contents, fault } = await cipher.open(left, undefined);
    for (const { type, content, records: count } of contents) {
      if (type === DATA && content.length > 0) data += Buffer.from(content).toString('hex');
      else tell(`${type}: ${Buffer.from(content).toString('hex')}`);
      left = left.slice(count);
    }
    if (fault) {
      tell(`${fault.message}, alert ${fault.reply?.alert}`);
      return seen;
    }
  }
  tell('all');
  return seen;
}

describe.each(suites)('%s', (_, suite) => {
  // Small ones and others by turns.
  const contents = [1, FULL, 15, 1025, 16, 1024, 17, 255, FULL - 1].map(length =>
    Uint8Array.from(randomBytes(length)),
  );
  /** Around where four blocks of ChaCha20 end: after 192 bytes, then every 256. */
  const edges = [191, 192, 193, 447, 448, 449, 4097].map(length => Uint8Array.from(randomBytes(length)));

  it.each([0, 1, 2 ** 32 - 2, 2 ** 40])(
    'seals the same bytes by every path, from record %d on',
    async from => {
      const keys = newKeys(suite, from);
      const ciphers = await paths(suite, keys, 'encrypt');
      let number = 0;
      for (const type of [ALERT, HANDSHAKE, DATA]) {
        for (const content of [...contents, ...edges]) {
          const expected = sealed(suite, keys, { number: number++, type, content }).toString('hex');
          for (const cipher of ciphers)
            expect(Buffer.from(await cipher.seal(type, content)).toString('hex') === expected).toBe(true);
        }
      }
      const long = Uint8Array.from(randomBytes(2 * FULL + 1));
      const pieces = [long.subarray(0, FULL), long.subarray(FULL, 2 * FULL), long.subarray(2 * FULL)];
      const expected = Buffer.concat(
        pieces.map(content => sealed(suite, keys, { number: number++, type: DATA, content })),
      );
      for (const cipher of ciphers) {
        expect(expected.equals(await cipher.seal(DATA, long))).toBe(true);
        expect(await cipher.seal(DATA, new Uint8Array(0))).toHaveLength(0);
      }
    },
  );

  it.each([0, 2 ** 32 - 2, 2 ** 40])('opens the same by every path, from record %d on', async from => {
    const keys = newKeys(suite, from);
    const types = [DATA, DATA, HANDSHAKE, DATA, ALERT, DATA, DATA, DATA, DATA];
    const records = contents.map((content, number) =>
      sealed(suite, keys, { number, type: types[number] ?? DATA, content }),
    );
    const hex = contents.map(content => Buffer.from(content).toString('hex'));
    const expected = [
      `${hex[0]}${hex[1]}`,
      `${HANDSHAKE}: ${hex[2]}`,
      `${hex[3]}`,
      `${ALERT}: ${hex[4]}`,
      hex.slice(5).join(''),
      'all',
    ];
    for (const cipher of await paths(suite, keys, 'decrypt'))
      expect(await outcome(cipher, records)).toEqual(expected);
  });

  it('opens records of every kind of length', async () => {
    const keys = newKeys(suite, 0);
    const records = edges.map((content, number) => sealed(suite, keys, { number, type: DATA, content }));
    const expected = [Buffer.concat(edges).toString('hex'), 'all'];
    for (const cipher of await paths(suite, keys, 'decrypt'))
      expect(await outcome(cipher, records)).toEqual(expected);
  });

  it('opens and seals records of random lengths, at all alignments', async () => {
    const keys = newKeys(suite, 0);
    const copy = () => ({ ...keys, key: keys.key.slice() });
    const [opening, sealing] = [0, 1].map(() => new EngineCipher(engine, suite.version, copy())) as [
      EngineCipher,
      EngineCipher,
    ];
    for (let number = 0; number < 1000; ) {
      // Each record of a batch is opened to another place than it came from.
      const batch = Array.from({ length: randomInt(1, 20) }, () =>
        Uint8Array.from(randomBytes(randomInt(50) ? randomInt(1, 2000) : randomInt(FULL - 300, FULL + 1))),
      );
      const records = batch.map((content, at) =>
        sealed(suite, keys, { number: number + at, type: DATA, content }),
      );
      const lengths = `${batch.map(({ length }) => length)} from ${number}`;
      const bySealing = batch.map(content => sealing.seal(DATA, content));
      expect(Buffer.concat(bySealing).equals(Buffer.concat(records)), lengths).toBe(true);
      const { contents, fault } = opening.open(records, undefined);
      const opened = contents.map(({ content }) => content);
      expect(Buffer.concat(opened).equals(Buffer.concat(batch)) && !fault, lengths).toBe(true);
      number += batch.length;
    }
  });

  it('seals what HTTP has to send as if that had been taken out before', async () => {
    const http = await HttpEngine.create(engineModule());
    const request = () => {
      const connection = http.openConnection('http/1.1', { onState: () => {}, onEngineFailed: () => {} });
      const head = { method: 'GET', url: 'https://a.example/', headers: [], bodyLength: 0 };
      http.begin(connection, head, exchangeListener);
      return connection;
    };
    const taken = (connection: number) => {
      const copies: Uint8Array[] = [];
      http.take(connection, pieces => copies.push(...pieces.map(piece => piece.slice())));
      return copies;
    };
    const content = Buffer.concat(taken(request()));
    const keys = newKeys(suite, 3);
    const cipher = new EngineCipher(http.records, suite.version, { ...keys, key: keys.key.slice() });
    const sent: Buffer[] = [];
    for (let number = 0; number < 2; number++) {
      const connection = request();
      const target = { engine: http.records, connection };
      const rooms: unknown[] = [];
      cipher.sealOutput({ target, take: () => {} }, (bytes, roomBytes = 0) => {
        rooms.push(roomBytes >= DATA_HEADER_BYTES && bytes.byteOffset >= roomBytes);
        sent.push(Buffer.from(bytes));
      });
      expect(rooms).toEqual([true]);
      expect(taken(connection)).toEqual([]);
    }
    const expected = [0, 1].map(number => sealed(suite, keys, { number, type: DATA, content }));
    expect(sent).toEqual(expected);
  });

  it('seals output that is good for the call alone, with room in front, into memory that it uses again', async () => {
    const keys = newKeys(suite, 0);
    const outputs = [2 * FULL + 9, 100, 2 * FULL + 9].map(length => Uint8Array.from(randomBytes(length)));
    let number = 0;
    const records = (content: Uint8Array) => {
      const cuts = Array.from({ length: Math.ceil(content.length / FULL) }, (_, at) => at * FULL);
      const pieces = cuts.map(at => content.subarray(at, at + FULL));
      return Buffer.concat(
        pieces.map(it => sealed(suite, keys, { number: number++, type: DATA, content: it })),
      );
    };
    const expected = outputs.map(records);
    for (const cipher of await paths(suite, keys, 'encrypt')) {
      const sent: Buffer[] = [];
      const places: ArrayBufferLike[] = [];
      for (const output of outputs) {
        const lent = output.slice();
        const done = cipher.sealOutput(
          { target: undefined, take: use => use([lent]) },
          (bytes, roomBytes = 0) => {
            expect(Math.min(roomBytes, bytes.byteOffset)).toBeGreaterThanOrEqual(DATA_HEADER_BYTES);
            sent.push(Buffer.from(bytes));
            places.push(bytes.buffer);
          },
        );
        lent.fill(0);
        await done;
      }
      expect(sent.map((it, i) => it.equals(expected[i] as Buffer))).toEqual([true, true, true]);
      expect(places[2]).toBe(places[0]);
    }
  });

  it('seals each piece of output in records of its own', async () => {
    const keys = newKeys(suite, 0);
    const pieces = [100, FULL, FULL + 1, 9].map(length => Uint8Array.from(randomBytes(length)));
    const contents = pieces.flatMap(it =>
      it.length > FULL ? [it.subarray(0, FULL), it.subarray(FULL)] : [it],
    );
    const expected = contents.map((content, number) => sealed(suite, keys, { number, type: DATA, content }));
    for (const cipher of await paths(suite, keys, 'encrypt')) {
      const sent: Buffer[] = [];
      const lent = pieces.map(it => it.slice());
      const output = { target: undefined, take: (use: (lent: Uint8Array[]) => void) => use(lent) };
      const done = cipher.sealOutput(output, bytes => sent.push(Buffer.from(bytes)));
      for (const piece of lent) piece.fill(0);
      await done;
      expect(Buffer.concat(sent).equals(Buffer.concat(expected))).toBe(true);
    }
  });

  it('opens more records than fit in one call', async () => {
    const keys = newKeys(suite, 0);
    const content = Uint8Array.from(randomBytes(FULL));
    const records = Array.from({ length: 40 }, (_, number) =>
      sealed(suite, keys, { number, type: DATA, content }),
    );
    const expected = [Buffer.from(content).toString('hex').repeat(40), 'all'];
    for (const cipher of await paths(suite, keys, 'decrypt'))
      expect(await outcome(cipher, records)).toEqual(expected);
  });

  describe('refuses by every path alike', () => {
    const BAD = 'a record is not authentic, alert 20';
    const flipped = (record: Buffer, at: number) => {
      const copy = Buffer.from(record);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    const shortened = (record: Buffer, by: number) =>
      Buffer.concat([
        recordHeader(record[0] ?? 0, record.length - 5 - by),
        record.subarray(5, record.length - by),
      ]);

    it.each<[string, (good: Buffer, evil: Buffer, later: Buffer) => Buffer[]]>([
      ['a flipped bit at the start', (good, evil, later) => [good, flipped(evil, 5), later]],
      ['a flipped bit in the middle', (good, evil) => [good, flipped(evil, evil.length >> 1)]],
      ['a flipped bit of the tag', (good, evil) => [good, flipped(evil, evil.length - 1)]],
      ['records in another order', (good, evil, later) => [good, later, evil]],
      ['a record twice over', (good, evil) => [good, good, evil]],
      ['a record without its end', (good, evil) => [good, shortened(evil, 1)]],
      ['a record shorter than a tag', (good, evil) => [good, shortened(evil, evil.length - 5 - 15)]],
      ['an empty record', good => [good, recordHeader(DATA, 0)]],
    ])('%s', async (_, attack) => {
      // Small records, and those that are too large for the engine's AES.
      for (const times of [1, 400]) {
        const keys = newKeys(suite, 7);
        const record = (number: number, content: string) =>
          sealed(suite, keys, { number, type: DATA, content: Buffer.from(content.repeat(times)) });
        const records = attack(record(0, 'good'), record(1, 'evil'), record(2, 'later'));
        const expected = [Buffer.from('good'.repeat(times)).toString('hex'), BAD];
        for (const cipher of await paths(suite, keys, 'decrypt'))
          expect(await outcome(cipher, records)).toEqual(expected);
      }
    });

    it('too much content', async () => {
      const keys = newKeys(suite, 0);
      const records = [FULL, FULL + 1].map((length, number) =>
        sealed(suite, keys, { number, type: DATA, content: Buffer.alloc(length, 1) }),
      );
      const expected = ['01'.repeat(FULL), 'a record is too large, alert 22'];
      for (const cipher of await paths(suite, keys, 'decrypt'))
        expect(await outcome(cipher, records)).toEqual(expected);
    });

    // TLS 1.2 has no padding.
    if (suite.version === 'TLSv1.3')
      it('padding without content, and too much of it', async () => {
        const keys = newKeys(suite, 0);
        const padded = (number: number, inner: Uint8Array) =>
          sealed(suite, keys, { number, type: 0, content: inner });
        const good = padded(0, Buffer.of(9, DATA, 0, 0));
        const cases = [
          [padded(1, Buffer.alloc(9)), 'a record has no content type, alert 10'],
          [padded(1, Buffer.alloc(FULL + 1)), 'a record is too large, alert 22'],
        ] as const;
        for (const [evil, refusal] of cases) {
          for (const cipher of await paths(suite, keys, 'decrypt'))
            expect(await outcome(cipher, [good, evil])).toEqual(['09', refusal]);
        }
      });
  });
});

it('keys are wiped where they came from', async () => {
  for (const [, suite] of suites) {
    const keys = newKeys(suite, 0);
    new EngineCipher(engine, suite.version, keys).free();
    expect(keys.key.every(byte => byte === 0)).toBe(true);
  }
});

it('keys that have been freed open and seal nothing', () => {
  for (const [, suite] of suites) {
    const cipher = new EngineCipher(engine, suite.version, newKeys(suite, 0));
    cipher.free();
    const refusal = expect.objectContaining({ code: 'ERR_ENGINE_FAILED' });
    expect(() => cipher.seal(DATA, Uint8Array.of(1))).toThrow(refusal);
    expect(() => cipher.open([Uint8Array.of(23, 3, 3, 0, 1, 0)], undefined)).toThrow(refusal);
  }
});

describe.each(suites.filter(([, { version }]) => version === 'TLSv1.3'))(
  'chunks that are read ahead, %s',
  (_, suite) => {
    /** A layer whose server goes from one of these keys to the next. */
    const layer = (first: TrafficKeys, ...next: TrafficKeys[]) => {
      const copy = (keys: TrafficKeys) => ({ ...keys, key: keys.key.slice() });
      const external = {
        sendKeys: newKeys(suite, 0),
        receiveKeys: copy(first),
        records: engine,
        updateKeys: () => copy(next.shift() ?? first),
        free: () => {},
      } as unknown as ExternalConnection;
      return RecordLayer.create(external, { version: suite.version, transmit: () => {}, warnings: 0 });
    };
    const keyUpdate = Uint8Array.of(24, 0, 0, 1, 0);
    const textOf = (pieces: Uint8Array[]) => Buffer.concat(pieces).toString();

    it('are opened with the keys that a key update in one before them brings', async () => {
      const keys = [newKeys(suite, 0), newKeys(suite, 0), newKeys(suite, 0)] as const;
      const record = (of: number, number: number, content: string | Uint8Array) =>
        sealed(suite, keys[of] as TrafficKeys, {
          number,
          type: typeof content === 'string' ? DATA : HANDSHAKE,
          content: Buffer.from(content),
        });
      const chunks = [
        [record(0, 0, 'a'), record(0, 1, 'b'), record(0, 2, keyUpdate), record(1, 0, 'c')],
        [record(1, 1, 'd'), record(1, 2, keyUpdate), record(2, 0, 'e')],
        [record(2, 1, 'f'), ...Array.from({ length: 30 }, (_, at) => record(2, 2 + at, 'g'))],
        [record(2, 32, 'h')],
      ];
      const records = await layer(...keys);
      const begun = chunks.map(chunk => records.begin(Buffer.concat(chunk)));
      const texts: string[] = [];
      for (const cut of begun) {
        const { plaintext, failure, broken } = await records.receive(cut);
        expect([failure, broken]).toEqual([undefined, undefined]);
        texts.push(textOf(plaintext));
      }
      expect(texts).toEqual(['abc', 'de', `f${'g'.repeat(30)}`, 'h']);
      records.free();
    });

    it('do not hide what ends the records before them', async () => {
      const keys = newKeys(suite, 0);
      const record = (number: number, content: string) =>
        sealed(suite, keys, { number, type: DATA, content: Buffer.from(content) });
      const records = await layer(keys);
      const begun = [
        records.begin(record(0, 'good')),
        records.begin(Buffer.concat([record(1, 'last'), Buffer.of(99, 3, 3, 0, 1)])),
        records.begin(record(2, 'never')),
      ];
      const received = [];
      for (const cut of begun.slice(0, 2)) received.push(await records.receive(cut));
      expect(received.map(({ plaintext }) => textOf(plaintext))).toEqual(['good', 'last']);
      expect(received.map(({ failure }) => failure?.message)).toEqual([
        undefined,
        'a record of type 99 came after the handshake',
      ]);
      records.free();
    });
  },
);
