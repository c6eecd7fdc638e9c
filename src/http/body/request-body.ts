import { MtlsError } from '../../errors.js';
import { isBlob } from '../../platform.js';
import { type BodyPart, type BodyReader, readerOf, readerOfParts } from './body-reader.js';

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
  /** The request has its answer, or none: nobody opens the body again. Called once. */
  release?(): void;
}

/** A body whose content is known, so that it can be sent again. */
export function wholeBody(parts: readonly BodyPart[], contentType: string | null): RequestBody {
  return {
    length: parts.reduce((length, part) => length + (isBlob(part) ? part.size : part.length), 0),
    contentType,
    replayable: true,
    open: () => readerOfParts(parts),
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

export function unreadableBody(cause: unknown): MtlsError {
  return new MtlsError('ERR_HTTP_BODY', "The request's body could not be read.", { cause });
}
