import { MtlsError } from '../errors.js';
import { isA } from '../platform.js';

/** A request's body, read piece by piece. */
export interface BodyReader {
  /** Undefined: the end. */
  next(): Promise<Uint8Array | undefined>;
  cancel(reason: unknown): void;
}

export interface RequestBody {
  /** In bytes; undefined when it is not known before the end. */
  length: number | undefined;
  /** What the platform says this body is, if anything. */
  contentType: string | null;
  /** Whether `open` may be called again, for another attempt or a redirect. */
  replayable: boolean;
  open(): BodyReader;
  /** Lets go of a body that nobody has opened. */
  abandon(reason: unknown): void;
}

/** A body whose bytes are known, so that it can be sent again. */
export function blobBody(blob: Blob, contentType: string | null): RequestBody {
  return {
    length: blob.size,
    contentType,
    replayable: true,
    open: () => readerOf(blob.stream()),
    abandon: () => {},
  };
}

/** A body that comes as it is made, and can be sent once. */
export function streamBody(stream: ReadableStream<Uint8Array>): RequestBody {
  return {
    length: undefined,
    contentType: null,
    replayable: false,
    open: () => readerOf(stream),
    abandon(reason) {
      if (!stream.locked) stream.cancel(reason).catch(() => {});
    },
  };
}

/** Reads a stream of `Uint8Array`s; any other chunk is a TypeError. */
export function readerOf(stream: ReadableStream<Uint8Array>): BodyReader {
  const reader = stream.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      if (done) return undefined;
      if (isA(value, Uint8Array)) return value;
      throw new TypeError("the chunks of a request's body must be Uint8Arrays");
    },
    cancel(reason) {
      reader.cancel(reason).catch(() => {});
    },
  };
}

export function unreadableBody(cause: unknown): MtlsError {
  return new MtlsError('ERR_HTTP_BODY', "The request's body could not be read.", { cause });
}
