import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RecordBoundary } from '../../../../src/tls/records/record-boundary.js';

const records = [
  { type: 22, content: Uint8Array.of(1, 2, 3) },
  { type: 20, content: new Uint8Array(0) },
  { type: 23, content: new Uint8Array(300).fill(9) },
];
const bytes = Buffer.concat(
  records.flatMap(({ type, content: { length } }, at) => [
    Buffer.of(type, 3, 3, length >> 8, length & 0xff),
    records[at]?.content ?? Buffer.of(),
  ]),
);

it('follows records in any portions', () => {
  const cut = fc.integer({ min: 0, max: bytes.length });
  fc.assert(
    fc.property(fc.array(cut, { maxLength: 20 }), cuts => {
      const boundary = new RecordBoundary();
      const seen = new Map<number, number[]>();
      let start = 0;
      for (const end of [...cuts, bytes.length].sort((a, b) => a - b)) {
        boundary.follow(bytes.subarray(start, end), (type, piece) => {
          seen.set(type, [...(seen.get(type) ?? []), ...piece]);
        });
        start = end;
        expect(boundary.isInside).toBe(![0, 8, 13, bytes.length].includes(end));
      }
      // Each has a header, and two have content.
      expect(boundary.steps).toBe(5);
      expect(seen.get(22)).toEqual([1, 2, 3]);
      expect(seen.get(20)).toBeUndefined();
      expect(seen.get(23)).toHaveLength(300);
    }),
  );
});
