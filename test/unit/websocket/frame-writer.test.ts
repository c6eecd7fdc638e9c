import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeFrames, type OutgoingFrame } from '../../../src/websocket/frame-writer.js';

/** One frame as RFC 6455 section 5.2 has it, byte by byte; the key is where the writer put it. */
function expected({ opcode, payload, final = true }: OutgoingFrame, written: Uint8Array): number[] {
  const { length } = payload;
  const extended = length > 65_535 ? 8 : length > 125 ? 2 : 0;
  const short = extended === 8 ? 127 : extended === 2 ? 126 : length;
  const lengthBytes = Array.from({ length: extended }, (_, at) => length / 256 ** (extended - 1 - at));
  const key = written.subarray(2 + extended, 6 + extended);
  const masked = [...payload].map((byte, at) => byte ^ (key[at & 3] as number));
  return [...Uint8Array.of((final ? 128 : 0) + opcode, 128 + short, ...lengthBytes, ...key), ...masked];
}

it('frames of all lengths, at all places, are as the standard has them', () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.uint8Array({ minLength: 120, maxLength: 135 }),
    fc.integer({ min: 65_530, max: 65_545 }).map(length => new Uint8Array(length).fill(length)),
  );
  const frame = fc.record({ opcode: fc.constantFrom(0, 1, 2, 8, 9, 10), payload, final: fc.boolean() });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 5 }), frames => {
      let written = encodeFrames(frames);
      for (const it of frames) {
        const bytes = expected(it, written);
        expect(Buffer.from(written.subarray(0, bytes.length)).equals(Buffer.from(bytes))).toBe(true);
        written = written.subarray(bytes.length);
      }
      expect(written.length).toBe(0);
    }),
    { numRuns: 200 },
  );
});

it('each frame has a key of its own', () => {
  const keys = new Set<string>();
  const zeros = new Uint8Array(4);
  for (let count = 0; count < 1_000; count++) {
    const written = encodeFrames([{ opcode: 2, payload: zeros }]);
    keys.add(Buffer.from(written.subarray(2, 6)).toString('hex'));
  }
  expect(keys.size).toBeGreaterThan(990);
});

it('what is usually written at once takes no fresh memory, and what is larger keeps none', () => {
  const bufferOf = (bytes: number) => encodeFrames([{ opcode: 2, payload: new Uint8Array(bytes) }]).buffer;
  const usual = bufferOf(3 * 65_536);
  expect(bufferOf(100)).toBe(usual);
  expect(bufferOf(3 * 65_536)).toBe(usual);
  expect(bufferOf(1 << 20)).not.toBe(usual);
  expect(bufferOf(3 * 65_536)).toBe(usual);
});
