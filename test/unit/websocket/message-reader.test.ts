import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { Opcode } from '../../../src/websocket/codes.js';
import { FrameError } from '../../../src/websocket/frames.js';
import { MessageReader } from '../../../src/websocket/message-reader.js';
import { copiedBytes } from './support/copied-bytes.js';
import { frame } from './support/servers.js';

const LIMIT_BYTES = 100_000;

/** What a reader makes of pieces. */
function read(pieces: Uint8Array[]) {
  const heard: unknown[] = [];
  const reader = new MessageReader(
    {
      onMessage: data => heard.push(typeof data === 'string' ? data : [...data]),
      onPing: payload => heard.push(['ping', ...payload]),
      onClose: code => heard.push(['close', code]),
    },
    LIMIT_BYTES,
  );
  try {
    for (const piece of pieces) reader.receive(piece);
  } catch (error) {
    // Nothing else may come of what a server sends.
    if (!(error instanceof FrameError)) throw error;
    heard.push(['failed', error.closeCode]);
  }
  return heard;
}

function cut(bytes: Uint8Array, lengths: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (const length of lengths) {
    pieces.push(bytes.subarray(start, start + length));
    start += length;
  }
  return [...pieces, bytes.subarray(start)];
}

const lengths = fc.array(fc.nat(40), { maxLength: 200 });

it('messages are the same however their bytes are cut', () => {
  const message = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map(it => [...it]),
  );
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 8 }),
      fc.array(fc.nat(100), { maxLength: 6 }),
      lengths,
      (sent, parts, cuts) => {
        const bytes = sent.flatMap(data => {
          const text = typeof data === 'string';
          const payload = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data);
          const fragments = cut(payload, parts);
          return fragments.map((piece, i) => {
            const opcode = i > 0 ? Opcode.continuation : text ? Opcode.text : Opcode.binary;
            return frame((i === fragments.length - 1 ? 0x80 : 0) | opcode, piece);
          });
        });
        expect(read(cut(Buffer.concat(bytes), cuts))).toEqual(sent);
      },
    ),
    { numRuns: 300 },
  );
});

it('whatever bytes come, they end in messages or in a failure, the same however they are cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), lengths, (bytes, cuts) => {
      expect(read(cut(bytes, cuts))).toEqual(read([bytes]));
    }),
    { numRuns: 3_000 },
  );
});

const RECORD_BYTES = 16_384;

/** What is copied of pieces that are as large as records, and the message that comes of them. */
function copies(whole: Uint8Array) {
  const messages: Uint8Array[] = [];
  const nothing = () => {};
  const onMessage = (data: string | Uint8Array) => messages.push(data as Uint8Array);
  const reader = new MessageReader({ onMessage, onPing: nothing, onClose: nothing }, 1 << 26);
  const pieces = cut(whole, Array(Math.floor(whole.length / RECORD_BYTES)).fill(RECORD_BYTES));
  const bytes = copiedBytes();
  for (const piece of pieces) reader.receive(new Uint8Array(piece));
  vi.restoreAllMocks();
  return { bytes: bytes(), messages };
}

it('a message in one frame is copied once, to memory of just its size', () => {
  const payload = Buffer.alloc(65_536, 'message');
  const { bytes, messages } = copies(frame(0x82, payload));
  expect(messages.map(it => it.buffer.byteLength)).toEqual([payload.length]);
  expect(payload.equals(messages[0] as Uint8Array)).toBe(true);
  expect(bytes).toBeLessThanOrEqual(payload.length + RECORD_BYTES);
});

it('a message in many frames, or of many megabytes, is copied twice', () => {
  const payload = Buffer.alloc(3 << 20, 'message');
  const fragments = cut(payload, Array(48).fill(65_536)).filter(it => it.length > 0);
  const frames = fragments.map((it, i) => frame((i === fragments.length - 1 ? 0x80 : 0) | (i ? 0 : 2), it));
  for (const whole of [Buffer.concat(frames), frame(0x82, payload)]) {
    const { bytes, messages } = copies(whole);
    expect(messages.map(it => it.buffer.byteLength)).toEqual([payload.length]);
    expect(payload.equals(messages[0] as Uint8Array)).toBe(true);
    expect(bytes).toBeLessThanOrEqual(2 * payload.length + RECORD_BYTES);
  }
});

it('a frame that is only announced gets memory for a megabyte at most', () => {
  const announced = frame(0x82, 'x', [127, 0, 0, 0, 0, 3, 0, 0, 0]);
  const before = process.memoryUsage().arrayBuffers;
  const { messages } = copies(announced);
  expect(messages).toEqual([]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 << 20);
});
