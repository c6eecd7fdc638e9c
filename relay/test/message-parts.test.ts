import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { decodeParts, tellInParts } from '../src/session/message-parts.js';
import { tellAtOnce } from '../src/session/synchronous-events.js';
import { until } from './support/harness.js';

const BINARY = 2;
const CONTINUATION = 0;
const PING = 9;

interface Page {
  /** What the WebSocket reads, a chunk at a time. */
  read: (chunk: Buffer) => void;
  webSocket: WebSocket;
  messages: Buffer[][];
  pings: Buffer[];
  errors: string[];
}

async function openPage(options: ServerOptions = {}): Promise<Page> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, ...options });
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  client.on('error', () => {});
  onTestFinished(() => {
    client.terminate();
    server.close();
  });
  const [webSocket] = (await once(server, 'connection')) as [WebSocket];
  tellInParts(webSocket);
  const { _receiver: receiver } = webSocket as unknown as { _receiver: { write: (chunk: Buffer) => void } };
  const page: Page = {
    ...{ webSocket, messages: [], pings: [], errors: [] },
    read: chunk => receiver.write(chunk),
  };
  webSocket.on('message', data => page.messages.push(data as Buffer[]));
  webSocket.on('ping', data => page.pings.push(Buffer.from(data)));
  webSocket.on('error', error => page.errors.push(error.message));
  return page;
}

/** A masked frame of a page. */
function frame(payload: Buffer, { opcode = BINARY, fin = true } = {}): Buffer {
  const head = Buffer.alloc(14);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  if (opcode > 7) head[1] = 0x80 | payload.length;
  const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  const masked = payload.map((byte, index) => byte ^ (mask[index & 3] ?? 0));
  return Buffer.concat([opcode > 7 ? head.subarray(0, 2) : head.subarray(0, 10), mask, masked]);
}

function numbered(length: number, from = 0): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (from + index * 7) & 255));
}

function cut(bytes: Buffer, lengths: () => number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = lengths();
    // Memory of its own, as for each read.
    chunks.push(Buffer.from(new Uint8Array(bytes.subarray(at, at + length)).buffer));
    at += length;
  }
  return chunks;
}

test('a message that came in several reads is told in parts, of which no byte is copied', async () => {
  const page = await openPage();
  const payload = numbered(150_001);
  const chunks = cut(frame(payload), () => 65_535);
  for (const chunk of chunks) page.read(chunk);
  const [parts] = page.messages;
  expect(parts?.map(part => part.buffer)).toEqual(chunks.map(chunk => chunk.buffer));
  expect(parts?.every((part, index) => part.buffer === chunks[index]?.buffer)).toBe(true);
  expect(Buffer.concat(parts ?? []).equals(payload)).toBe(true);
});

test('many small parts are one', async () => {
  const page = await openPage();
  const payload = numbered(50_000);
  for (const chunk of cut(frame(payload), () => 1000)) page.read(chunk);
  expect(page.messages.map(parts => parts.length)).toEqual([1]);
  expect(page.messages[0]?.[0]?.equals(payload)).toBe(true);
});

test.each([true, false])(
  'messages pass whole, however they are cut and fragmented (at once: %s)',
  async atOnce => {
    const page = await openPage({ maxPayload: 300_000 });
    tellAtOnce(page.webSocket, atOnce);
    let seed = 1;
    const random = (limit: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % limit;
    };
    const sent: Buffer[] = [];
    const frames: Buffer[] = [];
    let pings = 0;
    for (let count = 0; count < 60; count++) {
      const fragments = Array.from({ length: 1 + random(3) }, () =>
        numbered(random(2) ? random(90_000) : random(10), count),
      );
      for (const [index, fragment] of fragments.entries()) {
        const fin = index === fragments.length - 1;
        frames.push(frame(fragment, { opcode: index === 0 ? BINARY : CONTINUATION, fin }));
        if (random(3) === 0) frames.push(frame(numbered(8, pings++), { opcode: PING }));
      }
      sent.push(Buffer.concat(fragments));
    }
    for (const chunk of cut(Buffer.concat(frames), () => 1 + random(random(4) ? 70_000 : 20)))
      page.read(chunk);
    await until(() => page.messages.length === sent.length && page.pings.length === pings);
    for (const [index, parts] of page.messages.entries())
      expect(Buffer.concat(parts).equals(sent[index] as Buffer)).toBe(true);
    expect(page.pings).toEqual(Array.from({ length: pings }, (_, index) => numbered(8, index)));
    expect(page.errors).toEqual([]);
  },
);

test('parts are not counted as fragments, and fragments are', async () => {
  const fragmented = (count: number) =>
    Buffer.concat(
      Array.from({ length: count }, (_, index) =>
        frame(numbered(40_000), { opcode: index === 0 ? BINARY : CONTINUATION, fin: index === count - 1 }),
      ),
    );
  const page = await openPage({ maxFragments: 3 });
  for (const chunk of cut(fragmented(3), () => 9_000)) page.read(chunk);
  expect(page.messages).toHaveLength(1);
  expect(page.errors).toEqual([]);
  for (const chunk of cut(fragmented(4), () => 9_000)) page.read(chunk);
  await until(() => page.errors.length > 0);
  expect(page.errors).toEqual(['Too many message fragments']);
  expect(page.messages).toHaveLength(1);
});

test.each([
  ['bytes', { maxPayload: 99_999 }, 'Max payload size exceeded'],
  ['reads', { maxBufferedChunks: 10 }, 'Too many buffered chunks'],
])('a message in parts is held to the limit of its %s', async (_, options, message) => {
  const page = await openPage(options);
  for (const chunk of cut(frame(numbered(100_000)), () => 5_000)) page.read(chunk);
  await until(() => page.errors.length > 0);
  expect(page.errors).toEqual([message]);
  expect(page.messages).toEqual([]);
});

test.each([
  [
    'has another name for a member',
    (it: object) => Object.defineProperty(it, '_payloadLength', { get: () => 0 }),
  ],
  ['has no getData', (it: object) => Object.assign(it, { getData: undefined })],
])('a message is copied together by a ws that %s', async (_, change) => {
  vi.resetModules();
  const fresh = await import('../src/session/message-parts.js');
  const page = await openPage();
  const { _receiver: receiver } = page.webSocket as unknown as { _receiver: { constructor: unknown } };
  const Original = receiver.constructor as new (options: object) => object;
  receiver.constructor = class extends Original {
    constructor(options: object) {
      super(options);
      change(this);
    }
  };
  const before = (receiver as { getData?: unknown }).getData;
  fresh.tellInParts(page.webSocket);
  expect((receiver as { getData?: unknown }).getData).toBe(before);
});

const DATA_HEAD = Buffer.from([5, 0, 0, 0, 1]);

test('DATA in parts is read as one message for each', () => {
  const [first, second] = [numbered(5_000), numbered(6_000, 3)];
  expect(decodeParts([Buffer.concat([DATA_HEAD, first]), second])).toEqual([
    { type: 'data', stream: 1, payload: first },
    { type: 'data', stream: 1, payload: second },
  ]);
});

test.each([
  ['its parts are small', [Buffer.concat([DATA_HEAD, numbered(100)]), numbered(100, 9)]],
  ['its header is cut', [DATA_HEAD.subarray(0, 4), Buffer.concat([DATA_HEAD.subarray(4), numbered(20_000)])]],
  ['its header is all of a part', [DATA_HEAD, numbered(20_000)]],
])('DATA is put together where %s', (_, parts) => {
  const payload = Buffer.concat(parts).subarray(DATA_HEAD.length);
  expect(decodeParts(parts)).toEqual([{ type: 'data', stream: 1, payload }]);
});

test('a message of another type may come in parts, and is judged as a whole', () => {
  expect(decodeParts([Buffer.from([9, 0]), Buffer.from([0, 0, 7])])).toEqual([{ type: 'ping', nonce: 7 }]);
  expect(decodeParts([Buffer.from([9, 0, 0, 0, 7]), Buffer.from([0])])).toBeUndefined();
  expect(decodeParts([])).toBeUndefined();
});
