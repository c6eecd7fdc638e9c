import { describe, expect, it } from 'vitest';
import { BodyPieces } from '../../../../src/http/body/body-pieces.js';
import { type BodyReader, readerOf } from '../../../../src/http/body/body-reader.js';

const MOST_BYTES = 200_000;

function piecesOf(lengths: readonly number[]): BodyPieces {
  const chunks = lengths.map((length, index) => new Uint8Array(length).fill(index));
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk) controller.enqueue(chunk);
      else controller.close();
    },
  });
  return new BodyPieces(readerOf(stream), MOST_BYTES);
}

async function lengthsOf(pieces: BodyPieces): Promise<number[]> {
  const lengths: number[] = [];
  for (let piece = await pieces.next(); piece; piece = await pieces.next()) lengths.push(piece.length);
  return lengths;
}

/** Chunks that the test gives. */
function given() {
  const waiting: { resolve(chunk: Uint8Array | undefined): void; reject(error: unknown): void }[] = [];
  const reader: BodyReader = {
    next: () => new Promise((resolve, reject) => waiting.push({ resolve, reject })),
    cancel: () => {},
  };
  return { pieces: new BodyPieces(reader, MOST_BYTES), waiting };
}

describe('the pieces of a body', () => {
  it('are short chunks joined, as far as they are there', async () => {
    expect(await lengthsOf(piecesOf(Array(450).fill(1_000)))).toEqual([200_000, 200_000, 50_000]);
  });

  it('are parts of long chunks', async () => {
    expect(await lengthsOf(piecesOf([500_000, 3]))).toEqual([200_000, 200_000, 100_003]);
  });

  it('carry the bytes in their order', async () => {
    const lengths = [1, 0, 70_000, 5, 130_000, 250_000, 40_000, 3];
    const pieces = piecesOf(lengths);
    const all: Buffer[] = [];
    for (let piece = await pieces.next(); piece; piece = await pieces.next()) all.push(Buffer.from(piece));
    const chunks = lengths.map((length, index) => Buffer.alloc(length, index));
    expect(Buffer.compare(Buffer.concat(all), Buffer.concat(chunks))).toBe(0);
  });

  it('may be made in one memory', async () => {
    const chunk = new Uint8Array(10);
    let made = 0;
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (made === 20) return controller.close();
          chunk.fill(made++);
          controller.enqueue(chunk.subarray());
        },
      },
      { highWaterMark: 0 },
    );
    const piece = await new BodyPieces(readerOf(stream), MOST_BYTES).next();
    expect([...(piece ?? [])]).toEqual(Array.from({ length: 200 }, (_, at) => Math.floor(at / 10)));
  });

  it('do not wait for a chunk that takes its time', async () => {
    const { pieces, waiting } = given();
    const first = pieces.next();
    waiting[0]?.resolve(new Uint8Array(7));
    expect((await first)?.length).toBe(7);
    const second = pieces.next();
    waiting[1]?.resolve(new Uint8Array(9));
    expect((await second)?.length).toBe(9);
  });

  it('do not wait for what follows an empty chunk', { timeout: 2_000 }, async () => {
    const { pieces, waiting } = given();
    const first = pieces.next();
    waiting[0]?.resolve(new Uint8Array(7));
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    waiting[1]?.resolve(new Uint8Array(0));
    expect((await first)?.length).toBe(7);
    waiting[2]?.resolve(new Uint8Array(9));
    expect((await pieces.next())?.length).toBe(9);
  });

  it('come before what reading fails with', async () => {
    const { pieces, waiting } = given();
    const first = pieces.next();
    waiting[0]?.resolve(new Uint8Array(7));
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    waiting[1]?.reject(new Error('unreadable'));
    expect((await first)?.length).toBe(7);
    await expect(pieces.next()).rejects.toThrow('unreadable');
  });

  it('need no more memory than a short body has', async () => {
    const piece = await piecesOf([10, 20, 30]).next();
    expect(piece?.length).toBe(60);
    expect(piece?.buffer.byteLength).toBeLessThanOrEqual(4_096);
  });
});
