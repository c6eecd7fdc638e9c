import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Opcode } from '../../../src/websocket/codes.js';
import { FrameError } from '../../../src/websocket/frames.js';
import { MessageReader } from '../../../src/websocket/message-reader.js';
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
