import type { TunnelStream } from './tunnel.js';

/** Writes a stream of the library's own tunnel without the cost of its `writable`: for whoever has locked that, and does not write there. */
export interface DirectWriter {
  /**
   * Sends, and what cannot leave yet waits. How writing fails shows at the `writable`. With `roomBytes` the bytes are good for the call
   * alone, and so many in front of them may be written over.
   */
  write(bytes: Uint8Array, roomBytes?: number): void;
  /** Resolves when nothing waits any longer, or the stream has failed; undefined: that is so. */
  drained(): Promise<void> | undefined;
  /** Resolves when a message would leave at once, or the stream has failed; undefined: that is so. */
  roomAhead(): Promise<void> | undefined;
  /** Frees the memory of a chunk that has been read and is not used any longer, where the platform can: its collection comes late. */
  free(chunk: Uint8Array): void;
}

/** A stream that may be one of the library's own tunnel. */
export interface DirectStream extends TunnelStream {
  readonly direct?: DirectWriter | undefined;
  /** Reads without the cost of `readable`: for whoever has locked that, and does not read there. */
  read?(): Promise<ReadableStreamReadResult<Uint8Array>>;
}
