import { MtlsError } from '../errors.js';
import { freeMemory } from '../util/free-memory.js';
import { type Deferred, deferred } from '../util/promises.js';
import type { DirectStream, DirectWriter } from './direct-writer.js';
import type { RelayedStream, StreamHandlers } from './socket/relayed-stream.js';
import { ChunkQueue } from './wire/chunk-queue.js';
import { DATA_HEADER_BYTES } from './wire/limits.js';

/** From this much on it pays to free memory at once, or to use it again. */
const LARGE_BYTES = 32 * 1024;

/** The two byte streams of a page over one stream of the tunnel. */
export class ByteStreams implements DirectStream, StreamHandlers {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly direct: DirectWriter = {
    write: (bytes, roomBytes) => this.#send(bytes, roomBytes),
    drained: () => (this.#stream.hasUnsent ? this.#writing.promise : undefined),
    roomAhead: () => this.#roomAhead(),
    free,
  };

  readonly #stream: RelayedStream;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.#giveUp(this.#signal?.reason);
  #readController: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Absent once the writable errors by itself: erroring it again while it aborts breaks Node's streams. */
  #writeController: WritableStreamDefaultController | undefined;

  /** Received, and not yet taken by the consumer. */
  readonly #received = new ChunkQueue();
  /** A read of the readable is waiting. */
  #wanted = false;
  /** Those in place of the readable. */
  readonly #reads: Deferred<ReadableStreamReadResult<Uint8Array>>[] = [];
  /** Something that was written has not been sent, or there is no room for more. */
  #full = false;
  #writing = deferred<void>();

  /** The target has sent END. */
  #remoteEnded = false;
  #localEnded = false;
  #readableDone = false;
  #failure: { error: unknown } | undefined;

  constructor(stream: RelayedStream, signal: AbortSignal | undefined) {
    this.#stream = stream;
    this.#signal = signal;
    this.readable = this.#createReadable();
    this.writable = this.#createWritable();
    stream.handlers = this;
    signal?.addEventListener('abort', this.#onAbort);
    if (signal?.aborted) this.#onAbort();
  }

  read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    const read = deferred<ReadableStreamReadResult<Uint8Array>>();
    this.#reads.push(read);
    this.#deliver();
    if (this.#readableDone) this.#endReads();
    return read.promise;
  }

  onBytes(bytes: Uint8Array): void {
    this.#received.push(bytes);
    this.#deliver();
  }

  onEnd(): void {
    this.#remoteEnded = true;
    this.#releaseSignal();
    this.#deliver();
  }

  /** Ends both directions; what was received before can still be read. */
  onError(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#writeController?.error(error);
    this.onDrain();
    if (this.#received.byteLength === 0) this.#finishReadable();
  }

  onDrain(): void {
    this.#full = false;
    this.#writing.resolve();
  }

  // Nothing is queued inside the stream itself, so that a chunk counts as consumed only when somebody asked for it.
  #createReadable(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#readController = controller;
        },
        pull: () => {
          this.#wanted = true;
          this.#deliver();
        },
        cancel: reason => this.#giveUp(givenUpError(reason)),
      },
      { highWaterMark: 0 },
    );
  }

  #createWritable(): WritableStream<Uint8Array> {
    return new WritableStream<Uint8Array>({
      start: controller => {
        this.#writeController = controller;
        // The sink's own `abort` would come only after the write that may be waiting for credit.
        controller.signal.addEventListener('abort', () => {
          this.#writeController = undefined;
          this.#giveUp(givenUpError(controller.signal.reason));
        });
      },
      write: chunk => this.#write(chunk),
      close: () => this.#end(),
    });
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (!(chunk instanceof Uint8Array)) {
      const error = new TypeError('"chunk" must be a Uint8Array');
      this.#giveUp(error);
      throw error;
    }
    this.#send(chunk);
    if (this.#full) await this.#writing.promise;
    if (this.#failure) throw this.#failure.error;
  }

  #send(bytes: Uint8Array, roomBytes?: number): void {
    if (this.#failure) return;
    const sent = roomBytes === undefined ? this.#stream.write(bytes) : this.#stream.lend(bytes, roomBytes);
    if (sent || this.#full) return;
    this.#full = true;
    this.#writing = deferred();
  }

  #roomAhead(): Promise<void> | undefined {
    if (!this.#failure && !this.#full && !this.#stream.hasRoom()) {
      this.#full = true;
      this.#writing = deferred();
    }
    return this.#full ? this.#writing.promise : undefined;
  }

  #end(): void {
    this.#localEnded = true;
    this.#stream.end();
    this.#releaseSignal();
  }

  /** Hands each waiting read a chunk, or ends the stream once all chunks are taken. */
  #deliver(): void {
    while (this.#wanted || this.#reads.length > 0) {
      const chunk = this.#received.shift();
      if (!chunk) break;
      const read = this.#reads.shift();
      if (read) read.resolve({ done: false, value: chunk });
      else {
        this.#wanted = false;
        this.#readController?.enqueue(chunk);
      }
      this.#stream.consumed(chunk.length);
    }
    if (this.#received.byteLength === 0) this.#finishReadable();
  }

  #endReads(): void {
    for (const read of this.#reads.splice(0)) {
      if (this.#failure && !this.#remoteEnded) read.reject(this.#failure.error);
      else read.resolve({ done: true, value: undefined });
    }
  }

  #finishReadable(): void {
    if (this.#readableDone || !(this.#remoteEnded || this.#failure)) return;
    this.#readableDone = true;
    if (this.#remoteEnded) this.#readController?.close();
    else this.#readController?.error(this.#failure?.error);
    this.#endReads();
  }

  /** Ends both directions from this side; what was received and not read is dropped. */
  #giveUp(error: unknown): void {
    this.#stream.reset();
    this.#received.clear();
    if (!this.#readableDone) {
      this.#readableDone = true;
      this.#readController?.error(error);
    }
    this.onError(error);
    this.#endReads();
  }

  #releaseSignal(): void {
    if (this.#localEnded && this.#remoteEnded) this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

/** Small messages share their memory with others. */
function free(chunk: Uint8Array): void {
  const { buffer, length } = chunk;
  if (length >= LARGE_BYTES && buffer.byteLength === DATA_HEADER_BYTES + length) freeMemory([chunk]);
}

function givenUpError(cause: unknown): MtlsError {
  return new MtlsError('ERR_TUNNEL_CLOSED', 'The tunnel was given up by this page.', { cause });
}
