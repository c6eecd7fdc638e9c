import { describe, expect, it } from 'vitest';
import { readerOfParts } from '../../../../src/http/body/body-reader.js';

const MIB = 1 << 20;
const bytes = Uint8Array.from({ length: 9 * MIB }, (_, at) => at % 251);

/** As browsers differ: Firefox and WebKit give all of a Blob as one chunk, Chromium pieces. */
class ShownBlob extends Blob {
  readonly slices: number[] = [];
  #chunkBytes: number;

  constructor(chunkBytes: number) {
    super([bytes]);
    this.#chunkBytes = chunkBytes;
  }

  override slice(start = 0, end = this.size): Blob {
    this.slices.push(Math.min(end, this.size) - start);
    const slice = super.slice(start, end);
    const chunkBytes = this.#chunkBytes;
    slice.stream = () =>
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        async start(controller) {
          const all = new Uint8Array(await slice.arrayBuffer());
          for (let at = 0; at < all.length; at += chunkBytes)
            controller.enqueue(all.slice(at, at + chunkBytes));
          controller.close();
        },
      });
    return slice;
  }
}

async function read(reader: ReturnType<typeof readerOfParts>): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for (let piece = await reader.next(); piece; piece = await reader.next()) pieces.push(piece);
  return pieces;
}

describe('a Blob', () => {
  it.each([
    ['whole chunks is read in slices', Infinity, [4 * MIB, 4 * MIB, MIB], 4 * MIB],
    ['pieces is read on as one stream', 65_536, [4 * MIB, 5 * MIB], 65_536],
  ])('of a platform that gives %s', async (_name, chunkBytes, slices, mostBytes) => {
    const blob = new ShownBlob(chunkBytes);
    const pieces = await read(readerOfParts([blob]));
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
    expect(blob.slices).toEqual(slices);
    expect(Math.max(...pieces.map(it => it.length))).toBe(mostBytes);
  });
});

it('reads parts in order, empty ones as well, and nothing more once it is cancelled', async () => {
  const parts = [new Uint8Array(), new Blob(['a']), new Blob([]), new Uint8Array([98]), new Blob(['c'])];
  expect(Buffer.concat(await read(readerOfParts(parts))).toString()).toBe('abc');
  const reader = readerOfParts(parts.slice(1));
  await reader.next();
  reader.cancel('enough');
  expect(await reader.next()).toBeUndefined();
});
