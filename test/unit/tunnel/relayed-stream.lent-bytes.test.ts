import { expect, test } from 'vitest';
import type { DirectStream, DirectWriter } from '../../../src/tunnel/direct-writer.js';
import { encodeCredit, encodeOpened, encodeReset } from '../../../src/tunnel/wire/frames.js';
import { MAX_DATA_BYTES } from '../../../src/tunnel/wire/limits.js';
import {
  ADDRESS,
  MIB,
  openTunnel,
  platform,
  type ScriptedPage,
  startScriptedRelay,
} from './support/scripted-relay.js';

const ROOM_BYTES = 8;
const DATA_HEADER_BYTES = 5;
/** What a page sends before it knows the relay's windows, or here for ever. */
const CREDIT_BYTES = 65_536;

/** The part of a WebSocket that is looked at, with what is given to `send`. */
function watchedSockets(extensions: string) {
  const sent: Uint8Array[] = [];
  class Watched extends platform.WebSocket {
    override get extensions() {
      return extensions;
    }
    override send(message: Uint8Array<ArrayBuffer>) {
      sent.push(message);
      super.send(message);
    }
  }
  return { sent, WebSocket: Watched };
}

async function openDirect(extensions = '', streamWindowBytes = CREDIT_BYTES) {
  let consumedBytes = 0;
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome({ streamWindowBytes });
    if (frame.type === 'open') page.send(encodeOpened(frame.stream));
    if (frame.type !== 'data' || streamWindowBytes === CREDIT_BYTES) return;
    // As late as the format allows.
    consumedBytes += frame.payload.length;
    if (consumedBytes < streamWindowBytes / 4) return;
    page.send(encodeCredit(frame.stream, consumedBytes));
    consumedBytes = 0;
  });
  const { sent, WebSocket } = watchedSockets(extensions);
  const stream: DirectStream = await openTunnel(url, { WebSocket }).connect(ADDRESS);
  stream.readable.getReader().closed.catch(() => {});
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {});
  return { direct: stream.direct as DirectWriter, writer, page, sent };
}

/** Lends bytes of one value in memory that is written over as soon as the call has returned. */
function lend(direct: DirectWriter, value: number, length: number): Uint8Array {
  const memory = new Uint8Array(ROOM_BYTES + length).fill(value);
  direct.write(memory.subarray(ROOM_BYTES), ROOM_BYTES);
  const room = memory.slice(0, ROOM_BYTES - DATA_HEADER_BYTES);
  memory.fill(0xff);
  return room;
}

function received(page: ScriptedPage): Buffer {
  return Buffer.concat(page.of('data').map(({ payload }) => payload));
}

test('bytes that are lent leave at once from where they are, behind a header in the room in front', async () => {
  const { direct, page, sent } = await openDirect();
  const before = sent.length;
  expect(lend(direct, 7, 1_000)).toEqual(new Uint8Array(ROOM_BYTES - DATA_HEADER_BYTES).fill(7));
  expect(sent.slice(before).map(it => it.buffer.byteLength)).toEqual([ROOM_BYTES + 1_000]);
  expect(direct.drained()).toBeUndefined();
  await expect.poll(() => received(page())).toEqual(Buffer.alloc(1_000, 7));
});

test('what has to wait for credit is copied, and keeps its place', async () => {
  const { direct, page } = await openDirect();
  lend(direct, 1, 40_000);
  lend(direct, 2, 40_000);
  lend(direct, 3, 10);
  const drained = direct.drained();
  expect(drained).toBeInstanceOf(Promise);
  await expect.poll(() => received(page()).length).toBe(CREDIT_BYTES);
  page().send(encodeCredit(1, MIB));
  await drained;
  expect(direct.drained()).toBeUndefined();
  const expected = Buffer.concat([Buffer.alloc(40_000, 1), Buffer.alloc(40_000, 2), Buffer.alloc(10, 3)]);
  await expect.poll(() => received(page()).equals(expected)).toBe(true);
});

test('who waits for room has whole messages sent from where they are', async () => {
  const { direct, page, sent } = await openDirect('', MIB);
  // WELCOME has come.
  await expect.poll(() => page().of('ping').length).toBeGreaterThan(0);
  const messages = [1_000, ...new Array(16).fill(MAX_DATA_BYTES)];
  for (const length of messages) {
    for (let room = direct.roomAhead(); room; room = direct.roomAhead()) await room;
    lend(direct, 7, length);
  }
  const isData = ({ length }: Uint8Array) => length >= 1_000;
  expect(sent.filter(isData).map(it => it.buffer.byteLength)).toEqual(messages.map(it => ROOM_BYTES + it));
  await expect.poll(() => page().dataBytes()).toBe(1_000 + 4 * MIB);
});

test('who waits for room waits no longer when the stream ends or fails', async () => {
  const { direct, page } = await openDirect('', MIB);
  for (let room = direct.roomAhead(); room; room = direct.roomAhead()) await room;
  lend(direct, 7, CREDIT_BYTES);
  await expect.poll(() => page().dataBytes()).toBe(CREDIT_BYTES);
  page().send(encodeReset({ stream: 1, code: 5, reason: '' }));
  await expect.poll(() => direct.roomAhead()).toBeUndefined();
});

test('lent bytes are copied where an extension may compress them later', async () => {
  const { direct, page, sent } = await openDirect('permessage-deflate');
  const before = sent.length;
  lend(direct, 7, 1_000);
  expect(sent.slice(before).map(it => it.buffer.byteLength)).toEqual([DATA_HEADER_BYTES + 1_000]);
  await expect.poll(() => received(page())).toEqual(Buffer.alloc(1_000, 7));
});

test('a stream that has ended or failed takes no lent bytes, and keeps nobody waiting', async () => {
  const ended = await openDirect();
  await ended.writer.close();
  lend(ended.direct, 7, 10);
  expect(ended.direct.drained()).toBeUndefined();
  const failed = await openDirect();
  lend(failed.direct, 7, 2 * CREDIT_BYTES);
  const drained = failed.direct.drained();
  failed.page().webSocket.terminate();
  await drained;
  await expect(failed.writer.ready).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
  lend(failed.direct, 7, 10);
  expect(failed.direct.drained()).toBeUndefined();
});
