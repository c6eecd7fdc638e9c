import { expect, it } from 'vitest';
import { keepBody } from '../../../../src/fetch/body/body-copies.js';
import { encodeBody } from '../../../../src/fetch/body/extract-body.js';
import type { RequestBody } from '../../../../src/http/body/request-body.js';

const MIB = 1 << 20;

const kept = (source: BodyInit): RequestBody => {
  const whole = encodeBody(source);
  if (!whole) throw new Error('of unknown content');
  return keepBody(whole);
};

async function contentOf(body: RequestBody): Promise<Buffer> {
  const reader = body.open();
  const pieces: Uint8Array[] = [];
  for (let piece = await reader.next(); piece; piece = await reader.next()) pieces.push(piece);
  return Buffer.concat(pieces);
}

it('copies 64 MiB at most into the memory, and one body of any size', async () => {
  const bytes = new Uint8Array(65 * MIB).fill(7);
  // A Blob is read anew each time.
  const isCopied = async (body: RequestBody) => {
    const first = await body.open().next();
    return first === (await body.open().next());
  };
  const large = kept(bytes);
  const beside = kept(bytes.subarray(0, MIB));
  bytes.fill(8);
  expect([await isCopied(large), await isCopied(beside)]).toEqual([true, false]);
  expect((await contentOf(beside)).equals(Buffer.alloc(MIB, 7))).toBe(true);
  expect([beside.length, beside.replayable, beside.contentType]).toEqual([MIB, true, null]);
  large.release?.();
  const next = kept(bytes.subarray(0, MIB));
  expect(await isCopied(next)).toBe(true);
  next.release?.();
});

it('reads the same content each time it is opened', async () => {
  const form = new FormData();
  form.set('a', 'text');
  form.set('b', new File([new Uint8Array(100_000).fill(98)], 'b'));
  form.set('c', 'more');
  const body = kept(form);
  const first = await contentOf(body);
  expect(first.length).toBe(body.length);
  expect(first.includes(Buffer.alloc(100_000, 98))).toBe(true);
  expect((await contentOf(body)).equals(first)).toBe(true);
  body.release?.();
});
