import { randomBytes } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { type ExchangeListener, HttpEngine } from '../../../../src/http/http-engine.js';
import { EngineCipher } from '../../../../src/tls/ciphers/engine-cipher.js';
import { ContentType } from '../../../../src/tls/ciphers/record-cipher.js';
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

/** Opens all records of a message, which it takes away when they are released. Returns how many bytes of the body had come by then. */
async function read(
  { reading, target, pieces }: Awaited<ReturnType<typeof download>>,
  records: readonly Uint8Array[],
  message: Uint8Array,
): Promise<number | undefined> {
  let releasedAt: number | undefined;
  const release = () => {
    releasedAt = Buffer.concat(pieces).length;
    structuredClone(message.buffer, { transfer: [message.buffer as ArrayBuffer] });
  };
  for (let left = records; left.length > 0; await settled()) {
    const { contents, fault } = reading.open(left, target, release);
    if (fault) break;
    left = left.slice(contents.reduce((sum, it) => sum + it.records, 0));
  }
  return releasedAt;
}

it('the records of a message are released before memory is taken for the body that comes of them', async () => {
  const all = await download();
  const message = messageOf(all.server.seal(DATA, body.subarray(0, 200_000)));
  expect(await read(all, cut(message), message)).toBe(0);
  expect(areBody(all.pieces, 0, 200_000)).toBe(true);
});

it('so they are where a WebSocket or a socket reads', async () => {
  const { server, reading } = await download();
  const message = messageOf(server.seal(DATA, body.subarray(0, 200_000)));
  let releases = 0;
  const { contents } = reading.open(cut(message), undefined, () => releases++);
  expect(releases).toBe(1);
  expect(areBody([contents[0]?.content as Uint8Array], 0, 200_000)).toBe(true);
});

it('records behind those that were opened are not released, because other keys may open them', async () => {
  const all = await download();
  const { server, pieces } = all;
  const before = server.seal(DATA, body.subarray(0, 160_000));
  const other = server.seal(HANDSHAKE, ticket);
  const behind = server.seal(DATA, body.subarray(160_000, 260_000));
  const message = messageOf(before, other, behind);
  expect(await read(all, cut(message), message)).toBe(160_000);
  expect(areBody(pieces, 0, 260_000)).toBe(true);
});

it('nor are those of more than one batch, before the last one', async () => {
  const all = await download();
  const message = messageOf(all.server.seal(DATA, body));
  const releasedAt = (await read(all, cut(message), message)) as number;
  expect(releasedAt).toBeGreaterThan(260_000);
  expect(areBody(all.pieces, 0, 300_000)).toBe(true);
});

it('nor is a record that is not authentic', async () => {
  const all = await download();
  const message = messageOf(all.server.seal(DATA, body.subarray(0, 100_000)));
  message[message.length - 1] = 1 + (message.at(-1) as number);
  expect(await read(all, cut(message), message)).toBeUndefined();
});
