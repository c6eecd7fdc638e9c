import { isA, isBlob } from '../../platform.js';

/** A request's body, read piece by piece. */
export interface BodyReader {
  /** Undefined: the end. */
  next(): Promise<Uint8Array | undefined>;
  cancel(reason: unknown): void;
}

/** A piece of a body whose content is known: a `Blob`, or bytes that nobody changes any more. */
export type BodyPart = Uint8Array<ArrayBuffer> | Blob;

/** So much of a `Blob` is read at once by platforms whose streams give a whole `Blob` as one chunk. */
const SLICE_BYTES = 4 * 1024 * 1024;

/** Reads a stream of `Uint8Array`s; any other chunk is a TypeError. */
export function readerOf(stream: ReadableStream<Uint8Array>): BodyReader {
  const reader = stream.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      if (done) return undefined;
      if (isA(value, Uint8Array)) return value;
      throw new TypeError('"body" must have chunks of Uint8Array');
    },
    cancel(reason) {
      reader.cancel(reason).catch(() => {});
    },
  };
}

/** Reads the parts one after the other. */
export function readerOfParts(parts: readonly BodyPart[]): BodyReader {
  const pieces = piecesOf(parts);
  return {
    next: async () => (await pieces.next()).value,
    cancel: () => void pieces.return(undefined),
  };
}

async function* piecesOf(parts: readonly BodyPart[]): AsyncGenerator<Uint8Array, undefined, undefined> {
  for (const part of parts) {
    if (isBlob(part)) yield* piecesOfBlob(part);
    else yield part;
  }
  return undefined;
}

async function* piecesOfBlob(blob: Blob): AsyncGenerator<Uint8Array, undefined, undefined> {
  let sliceBytes = SLICE_BYTES;
  for (let start = 0; start < blob.size; ) {
    const end = Math.min(start + sliceBytes, blob.size);
    const slice = end - start === blob.size ? blob : blob.slice(start, end);
    const reader = readerOf(slice.stream());
    try {
      for (let piece = await reader.next(); piece; piece = await reader.next()) {
        // Chromium and Node cut streams themselves, and are slower with slices.
        if (piece.length < slice.size) sliceBytes = blob.size;
        yield piece;
      }
    } finally {
      reader.cancel(undefined);
    }
    start = end;
  }
  return undefined;
}
