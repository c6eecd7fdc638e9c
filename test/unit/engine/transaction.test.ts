import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Emission, Question } from '../../../src/engine/abi.js';
import { Instance } from '../../../src/engine/instance.js';
import { loadEngine } from '../../../src/engine/load.js';
import { type Respondent, Transactions } from '../../../src/engine/transaction.js';
import { encodeMaterial, encodePins } from '../../../src/engine/trust.js';
import { WireReader, WireWriter } from '../../../src/engine/wire.js';
import { engineModule } from '../../support/engine.js';
import { certificateDer, OpensslPki } from '../../support/openssl-pki.js';

const ECDSA_P256 = 0x0403;
const nothing = new Uint8Array(0);

let pki: OpensslPki;
let server: Server;
let client: Uint8Array;

beforeAll(async () => {
  pki = new OpensslPki();
  const { cert, key } = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  client = certificateDer(pki.issue({ subject: '/CN=client' }).cert);
  server = createServer({ cert, key, ca: pki.ca.cert, requestCert: true, rejectUnauthorized: false });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.close();
  pki.close();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** An instance with a configuration that trusts the test's authority, and a connection of it. */
async function newConnection(): Promise<{ instance: Instance; transactions: Transactions; handle: number }> {
  const instance = await Instance.create(engineModule());
  const settings = new WireWriter()
    .u8(3)
    .u8(0)
    .u8(1)
    .u8(0)
    .bytes(encodeMaterial({ anchors: [certificateDer(pki.ca.cert)] }))
    .finish();
  const config = instance.call('tls_config_new', [settings]).status;
  const target = new WireWriter().str('localhost').str('').list([]).bytes(encodePins(undefined)).finish();
  const handle = instance.call('tls_connection_new', [config, target]).status;
  return { instance, transactions: new Transactions(instance), handle };
}

/** What the server says to a ClientHello. */
async function serverFlight(hello: Uint8Array): Promise<Uint8Array> {
  const socket: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(hello);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return new Uint8Array(chunk);
}

function ciphertextOf(emitted: { kind: number; bytes: Uint8Array }[]): Uint8Array {
  return emitted.find(it => it.kind === Emission.ciphertext)?.bytes ?? nothing;
}

const certificateAnswer = () => new WireWriter().list([client]).u16(ECDSA_P256).finish();

/** Answers every question, in the order in which they are asked. */
function answering(answer: Answer): Respondent {
  return {
    decide: ({ questions: [first] }) => (first ? { answer: first } : 'commit'),
    answer: ({ kind, question }) => answer(kind, question),
  };
}

type Answer = (kind: number, question: Uint8Array) => Promise<Uint8Array>;

const unexpected: Answer = () => Promise.reject(new Error('nothing should be asked'));
const both: Answer = async kind =>
  kind === Question.clientCertificate ? certificateAnswer() : new Uint8Array(70);

/** Gives a connection what its server sent. */
async function feed(
  { transactions, handle }: { transactions: Transactions; handle: number },
  bytes: Uint8Array,
  answer: Answer,
) {
  const given = { respondent: answering(answer), answers: [] };
  const result = await transactions.run('tls_connection_process', [handle, bytes], given);
  if (!result) throw new Error('deferred');
  return result;
}

/** A connection whose next call asks two questions. */
async function readyToAsk() {
  const connection = await newConnection();
  const { emitted } = await feed(connection, nothing, unexpected);
  return { ...connection, flight: await serverFlight(ciphertextOf(emitted)) };
}

describe('a call that has to wait', () => {
  it('asks each question once and then commits', async () => {
    const ready = await readyToAsk();
    const asked: number[] = [];
    const result = await feed(ready, ready.flight, (kind, question) => {
      asked.push(kind);
      return both(kind, question);
    });
    expect(asked).toEqual([Question.clientCertificate, Question.signature]);
    expect(result.emitted.map(it => it.kind)).toEqual([Emission.ciphertext, Emission.handshake]);
  });

  it.each([
    ['once less with the answer that was expected', () => client, 2],
    ['as ever when another was expected', () => nothing, 3],
  ])('is made %s', async (_, certificate, runs) => {
    const { instance, ...ready } = await readyToAsk();
    const asked: number[] = [];
    let question = new Uint8Array(0);
    await feed(ready, ready.flight, async (_, asked) => {
      question = asked.slice();
      throw new Error('not yet');
    }).catch(() => {});
    const answer = new WireWriter().list([certificate()]).u16(ECDSA_P256).finish();
    const respondent = answering((kind, question) => {
      asked.push(kind);
      return both(kind, question);
    });
    const expected = { kind: Question.clientCertificate, question, answer };
    const call = vi.spyOn(instance, 'call');
    const given = { respondent: { ...respondent, expected }, answers: [] };
    const result = await ready.transactions.run(
      'tls_connection_process',
      [ready.handle, ready.flight],
      given,
    );
    expect(asked).toEqual([Question.clientCertificate, Question.signature]);
    expect(call.mock.calls.filter(([name]) => name === 'tls_connection_process')).toHaveLength(runs);
    expect(result?.emitted.map(it => it.kind)).toEqual([Emission.ciphertext, Emission.handshake]);
  });

  it('leaves memory as it was when it is rolled back', async () => {
    const { instance, ...ready } = await readyToAsk();
    instance.call('mtls_reserve', [256 * 1024 + 4 * ready.flight.length]);
    const before = instance.memory().slice();
    let during: Uint8Array | undefined;
    await feed(ready, ready.flight, async () => {
      during = instance.memory().slice();
      throw new Error('no answer');
    }).catch(() => {});
    expect(Buffer.from(during ?? nothing).equals(before)).toBe(true);
  });

  it('sees the same randomness and time again, and no other', async () => {
    const ready = await readyToAsk();
    const random = vi.spyOn(crypto, 'getRandomValues');
    const clock = vi.spyOn(Date, 'now');
    const drawn: number[] = [];
    const messages: Uint8Array[] = [];
    for (const attempt of [1, 2]) {
      await feed(ready, ready.flight, async (kind, question) => {
        drawn.push(random.mock.calls.length);
        clock.mockReturnValue(Date.now() + 60_000);
        if (kind === Question.clientCertificate) return certificateAnswer();
        const reader = new WireReader(question);
        reader.u16();
        messages.push(reader.bytes());
        throw new Error(`attempt ${attempt}`);
      }).catch(() => {});
    }
    // Within a transaction nothing is drawn twice; the transcript to sign is the same in every run.
    expect(drawn[1]).toBe(drawn[0]);
    expect(messages).toHaveLength(2);
    expect(messages[1]).toEqual(messages[0]);
  });

  it('uses an answer only for the question it was given to', async () => {
    const first = await readyToAsk();
    const second = await readyToAsk();
    const asked: string[] = [];
    const noting: Answer = (kind, question) => {
      asked.push(Buffer.from(question).toString('hex'));
      return both(kind, question);
    };
    await feed(first, first.flight, noting);
    await feed(second, second.flight, noting);
    // The second connection's transcript differs, so its signature was asked for anew.
    expect(asked).toHaveLength(4);
    expect(asked[3]).not.toBe(asked[1]);
  });

  it('wipes the copy of the memory', async () => {
    const { instance, ...ready } = await readyToAsk();
    const set = vi.spyOn(Uint8Array.prototype, 'set');
    await feed(ready, ready.flight, both);
    const copies = (set.mock.contexts as Uint8Array[]).filter(
      it => it.length === instance.memoryBytes && it.buffer !== instance.memory().buffer,
    );
    expect(copies.length).toBeGreaterThan(0);
    for (const copy of copies) expect(copy.every((byte: number) => byte === 0)).toBe(true);
  });

  it('does not grow the memory again with every roll-back', async () => {
    const { instance, ...ready } = await readyToAsk();
    const large = new Uint8Array(4 * 1024 * 1024);
    large.set(ready.flight);
    const before = instance.memoryBytes;
    for (let i = 0; i < 10; i++) {
      await feed(ready, large, () => Promise.reject(new Error('no answer'))).catch(() => {});
    }
    expect(instance.memoryBytes - before).toBeLessThan(6 * large.length);
  });

  it('can be deferred, and given more input', async () => {
    const ready = await readyToAsk();
    const half = ready.flight.subarray(0, ready.flight.length / 2);
    const deferring: Respondent = { decide: () => 'defer', answer: () => unexpected(0, nothing) };
    expect(
      await ready.transactions.run('tls_connection_process', [ready.handle, ready.flight], {
        respondent: deferring,
        answers: [],
      }),
    ).toBe(undefined);
    await feed(ready, half, both);
    const { emitted } = await feed(ready, ready.flight.subarray(half.length), both);
    expect(emitted.map(it => it.kind)).toContain(Emission.handshake);
  });

  it('lets other calls run in between', async () => {
    const waiting = await readyToAsk();
    let answer: (value: Uint8Array) => void = () => {};
    const stuck = feed(waiting, waiting.flight, (kind, question) =>
      kind === Question.clientCertificate
        ? both(kind, question)
        : new Promise(resolve => {
            answer = resolve;
          }),
    );
    const { instance, transactions } = waiting;
    const settings = new WireWriter()
      .u8(2)
      .u8(0)
      .u8(1)
      .u8(0)
      .bytes(encodeMaterial({ anchors: [certificateDer(pki.ca.cert)] }))
      .finish();
    const config = instance.call('tls_config_new', [settings]).status;
    const target = new WireWriter().str('localhost').str('').list([]).bytes(encodePins(undefined)).finish();
    for (let i = 0; i < 20; i++) {
      const handle = instance.call('tls_connection_new', [config, target]).status;
      const { emitted } = await feed({ transactions, handle }, nothing, unexpected);
      expect(ciphertextOf(emitted)[0]).toBe(22);
      instance.call('tls_connection_free', [handle]);
    }
    answer(new Uint8Array(70));
    expect((await stuck).emitted.map(it => it.kind)).toContain(Emission.handshake);
  });
});

describe('an instance', () => {
  it('is unusable after a trap, and says so every time', async () => {
    const instance = await Instance.create(engineModule());
    const failed = expect.objectContaining({ code: 'ERR_ENGINE_FAILED' });
    expect(() => instance.call('mtls_alloc', [0x7fffffff])).toThrow(failed);
    expect(() => instance.call('mtls_alloc', [8])).toThrow(failed);
    const dead = { transactions: new Transactions(instance), handle: 1 };
    await expect(feed(dead, nothing, unexpected)).rejects.toEqual(failed);
  });

  it('fails alone: another instance of the same module goes on', async () => {
    const [one, other] = await Promise.all([
      Instance.create(engineModule()),
      Instance.create(engineModule()),
    ]);
    expect(() => one.call('mtls_alloc', [0x7fffffff])).toThrow();
    expect(other.call('mtls_alloc', [8]).status).toBeGreaterThan(0);
  });

  it('does not know handles that were never given out', async () => {
    const instance = await Instance.create(engineModule());
    expect(instance.call('tls_connection_process', [77, nothing]).status).toBeLessThan(0);
  });
});

describe('loading', () => {
  it('takes bytes, a response and a module', async () => {
    const bytes = WebAssembly.Module.customSections(engineModule(), 'x');
    expect(bytes).toEqual([]);
    expect(await loadEngine(engineModule())).toBe(engineModule());
  });

  it('tells what is no engine', async () => {
    const failed = { code: 'ERR_ENGINE_LOAD' };
    await expect(loadEngine(new TextEncoder().encode('<!doctype html>'))).rejects.toMatchObject(failed);
    await expect(loadEngine(new Response('gone', { status: 404 }))).rejects.toMatchObject(failed);
    const empty = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    await expect(Instance.create(empty)).rejects.toMatchObject(failed);
  });
});
