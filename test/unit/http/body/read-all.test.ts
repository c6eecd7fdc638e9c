import { expect, it, onTestFinished, vi } from 'vitest';
import { FetchResponse } from '../../../../src/fetch/response/fetch-response.js';
import { readAll } from '../../../../src/http/body/read-all.js';

const PIECE_BYTES = 100_000;
const pieces = () => [1, 2, 3].map(byte => new Uint8Array(PIECE_BYTES).fill(byte));

function streamOf(chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

it.each([
  ['the announced length', 3 * PIECE_BYTES],
  ['no announced length', undefined],
  ['more than announced', PIECE_BYTES + 5],
  ['less than announced', 4 * PIECE_BYTES],
  ['less than could ever be there', 2 ** 49],
])('a body of %s is read in full', async (_, announcedBytes) => {
  const read = await readAll(streamOf(pieces()), announcedBytes);
  expect(Buffer.concat(pieces()).equals(read)).toBe(true);
  expect(read.buffer.byteLength).toBe(3 * PIECE_BYTES);
});

/** How many copies are made while each piece comes, and what is read. */
async function copiesOf(read: (stream: ReadableStream<Uint8Array>) => Promise<ArrayBuffer | Uint8Array>) {
  const copies = vi.spyOn(Uint8Array.prototype, 'set');
  onTestFinished(() => void vi.restoreAllMocks());
  const controllers: ReadableStreamDefaultController<Uint8Array>[] = [];
  const stream = new ReadableStream<Uint8Array>({ start: it => void controllers.push(it) });
  const done = read(stream);
  const counts: number[] = [];
  for (const piece of pieces()) {
    const before = copies.mock.calls.length;
    controllers[0]?.enqueue(piece);
    await new Promise(resolve => setTimeout(resolve));
    counts.push(copies.mock.calls.length - before);
  }
  controllers[0]?.close();
  return { counts, bytes: (await done).byteLength };
}

it('a body of the announced length is copied piece by piece, and not held twice', async () => {
  const read = await copiesOf(stream => readAll(stream, 3 * PIECE_BYTES));
  expect(read).toEqual({ counts: [1, 1, 1], bytes: 3 * PIECE_BYTES });
});

it.each([
  ['so is that of a response', {}, [1, 1, 1]],
  ['the announced length of a coded body is another one', { 'content-encoding': 'gzip' }, [0, 0, 0]],
])('%s', async (_, more, counts) => {
  const fields = { url: 'https://a.test/', redirected: false, type: 'basic' as const };
  const headers = { 'content-length': String(3 * PIECE_BYTES), ...more };
  const read = await copiesOf(stream => new FetchResponse(stream, { headers }, { fields }).arrayBuffer());
  expect(read).toEqual({ counts, bytes: 3 * PIECE_BYTES });
});
