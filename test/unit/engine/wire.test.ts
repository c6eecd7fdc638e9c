import { expect, it } from 'vitest';
import { WireReader, WireWriter } from '../../../src/engine/wire.js';

it('reads what was written, however much that is', () => {
  const long = new Uint8Array(5_000).fill(7);
  const written = new WireWriter()
    .u8(1)
    .bytes(long)
    .u16(0xfedc)
    .u32(0xfedcba98)
    .str('ü')
    .latin1('ÿ'.repeat(9_000))
    .list([long, Uint8Array.of(2)])
    .finish();
  const reader = new WireReader(written);
  expect(reader.u8()).toBe(1);
  expect(reader.bytes()).toEqual(long);
  expect([reader.u16(), reader.u32(), reader.str()]).toEqual([0xfedc, 0xfedcba98, 'ü']);
  expect(reader.latin1()).toBe('ÿ'.repeat(9_000));
  expect(reader.list()).toEqual([long, Uint8Array.of(2)]);
  expect(() => reader.u8()).toThrow(RangeError);
});

it('leaves nothing of a secret behind when what was written is wiped, also where it grew', () => {
  const memories = new Set<ArrayBuffer>();
  const writer = new WireWriter();
  for (let i = 0; i < 2_000; i++) {
    writer.bytes(new Uint8Array(8).fill(9));
    memories.add(writer.finish().buffer);
  }
  expect(memories.size).toBeGreaterThan(1);
  writer.finish().fill(0);
  for (const memory of memories) expect(new Uint8Array(memory).every(byte => byte === 0)).toBe(true);
});
