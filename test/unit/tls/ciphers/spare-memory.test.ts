import { randomBytes } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { type ExchangeListener, HttpEngine } from '../../../../src/http/http-engine.js';
import { EngineCipher } from '../../../../src/tls/ciphers/engine-cipher.js';
import { ContentType } from '../../../../src/tls/ciphers/record-cipher.js';
import { SpareMemory } from '../../../../src/tls/ciphers/spare-memory.js';
import { Algorithm, type TrafficKeys } from '../../../../src/tls/ciphers/traffic-keys.js';
import { RecordReader } from '../../../../src/tls/records/record-reader.js';
import { DATA_HEADER_BYTES } from '../../../../src/tunnel/wire/limits.js';
import { engineModule } from '../../../support/engine.js';

const { handshake: HANDSHAKE, applicationData: DATA } = ContentType;
/** What hyper reads at once grows while it gets more. */
const WARM_UP_BYTES = 2_000_000;
const body = Uint8Array.from(randomBytes(300_000));
const ticket = new Uint8Array(200).fill(9);

const settled = () => new Promise(resolve => setTimeout(resolve));

/** A response over HTTP/1.1, whose body comes in `pieces`, and the ciphers of both sides. */
async function download() {
  const engine = await HttpEngine.create(engineModule());
  const keys: TrafficKeys = {
    algorithm: Algorithm.chacha20Poly1305,
    key: Uint8Array.from(randomBytes(32)),
    iv: Uint8Array.from(randomBytes(12)),
    sequence: 0,
  };
  const cipher = () => new EngineCipher(engine.records, 'TLSv1.3', { ...keys, key: keys.key.slice() });
  const connection = engine.openConnection('http/1.1', { onState() {}, onEngineFailed() {} });
  onTestFinished(() => engine.freeConnection(connection));
  const pieces: Uint8Array[] = [];
  let exchange = 0;
  const pull = () => engine.pull(exchange);
  const listener: ExchangeListener = {
    ...{ onBodyWanted() {}, onBodyStopped() {}, onEnd() {}, onFailed() {} },
    onHead: () => queueMicrotask(pull),
    onData(bytes) {
      pieces.push(bytes);
      queueMicrotask(pull);
    },
  };
  const url = 'https://a.test/';
  const begun = engine.begin(connection, { method: 'GET', url, headers: [], bodyLength: 0 }, listener);
  if (typeof begun === 'number') exchange = begun;
  engine.take(connection, () => {});
  const [server, reading] = [cipher(), cipher()];
  const target = { engine: engine.records, connection };
  const head = new TextEncoder().encode(
    `HTTP/1.1 200 OK\r\nContent-Length: ${WARM_UP_BYTES + body.length}\r\n\r\n`,
  );
  reading.open([server.seal(DATA, head)], target);
  await settled();
  for (let bytes = 0; bytes < WARM_UP_BYTES; bytes += 200_000) {
    reading.open(cut(server.seal(DATA, new Uint8Array(200_000))), target);
    await settled();
  }
  pieces.length = 0;
  return { server, reading, target, pieces };
}

/** Records as they come in a message of the tunnel. */
function messageOf(...records: Uint8Array[]): Uint8Array {
  const message = Buffer.concat(records);
  const memory = new Uint8Array(DATA_HEADER_BYTES + message.length);
  memory.set(message, DATA_HEADER_BYTES);
  return memory.subarray(DATA_HEADER_BYTES);
}

function cut(message: Uint8Array): Uint8Array[] {
  return new RecordReader('TLSv1.3').read(message).records;
}

/** Whether the pieces together are the body from one place to another. */
function areBody(pieces: readonly Uint8Array[], start: number, end: number): boolean {
  return Buffer.concat(pieces).equals(body.subarray(start, end));
}

it('a large piece of a body takes the memory of the message that it came in', async () => {
  const { server, reading, target, pieces } = await download();
  const message = messageOf(server.seal(DATA, body.subarray(0, 200_000)));
  const spare = new SpareMemory(message);
  reading.open(cut(message), target, spare);
  expect(areBody(pieces, 0, 200_000)).toBe(true);
  expect(pieces.map(({ buffer }) => buffer === message.buffer)).toEqual([true]);
  expect(spare.used).toBe(true);
});

it('so does what a WebSocket or a socket reads', async () => {
  const { server, reading } = await download();
  const message = messageOf(server.seal(DATA, body.subarray(0, 200_000)));
  const spare = new SpareMemory(message);
  const { contents } = reading.open(cut(message), undefined, spare);
  expect(contents.map(({ content }) => content.buffer === message.buffer)).toEqual([true]);
  expect(areBody([contents[0]?.content as Uint8Array], 0, 200_000)).toBe(true);
  expect(spare.used).toBe(true);
});

it('records behind those that were opened stay as they came, because other keys may open them', async () => {
  const { server, reading, target, pieces } = await download();
  const before = server.seal(DATA, body.subarray(0, 200_000));
  const other = server.seal(HANDSHAKE, ticket);
  const behind = server.seal(DATA, body.subarray(200_000, 300_000));
  const message = messageOf(before, other, behind);
  const spare = new SpareMemory(message);
  const records = cut(message);
  const { contents } = reading.open(records, target, spare);
  expect(contents.map(({ type }) => type)).toEqual([DATA, HANDSHAKE]);
  const left = records.slice(contents.reduce((sum, it) => sum + it.records, 0));
  expect(Buffer.concat(left).equals(behind)).toBe(true);
  await settled();
  reading.open(left, target, spare);
  expect(areBody(pieces, 0, 300_000)).toBe(true);
  // A page may transfer a piece: no other one is in the same memory.
  expect(pieces.map(({ buffer }) => buffer === message.buffer)).toEqual([true, false]);
});

it('a small piece, or one in a much larger message, gets new memory', async () => {
  const { server, reading, target, pieces } = await download();
  const small = messageOf(server.seal(DATA, body.subarray(0, 20_000)));
  const tickets = Array.from({ length: 300 }, () => server.seal(HANDSHAKE, ticket));
  const last = server.seal(DATA, body.subarray(20_000, 60_000));
  for (const message of [small, messageOf(...tickets, last)]) {
    const spare = new SpareMemory(message);
    for (let left = cut(message); left.length > 0; await settled()) {
      const { contents } = reading.open(left, target, spare);
      left = left.slice(contents.reduce((sum, it) => sum + it.records, 0));
    }
    expect(spare.used).toBe(false);
  }
  expect(areBody(pieces, 0, 60_000)).toBe(true);
});

it('a record that began in another message is not part of the memory', async () => {
  const { server, reading, target, pieces } = await download();
  const first = server.seal(DATA, body.subarray(0, 16_384));
  const message = messageOf(server.seal(DATA, body.subarray(16_384, 200_000)));
  const spare = new SpareMemory(message);
  reading.open([first, ...cut(message)], target, spare);
  expect(areBody(pieces, 0, 200_000)).toBe(true);
  // What does not fit into what the others leave is a piece of its own.
  expect(pieces.map(({ buffer }) => buffer === message.buffer)).toEqual([true, false]);
});
