import type { DirectStream, DirectWriter } from '../tunnel/direct-writer.js';

/** More than a server says before it waits for the client: what comes beyond it is not read ahead. */
const MAX_AHEAD_BYTES = 64 * 1024;

/** A stream that notices the other side's end while nobody reads. */
export class ReadAheadStream implements DirectStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly direct: DirectWriter | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #readSource: () => Promise<ReadableStreamReadResult<Uint8Array>>;
  #passes = false;
  /** Reads that take longer than those which pass: none may overtake them. */
  #reads = 0;
  #ahead: Promise<ReadableStreamReadResult<Uint8Array>>[] = [];
  #aheadBytes = 0;
  #end: { error?: unknown } | undefined;
  #heard = false;

  constructor(stream: DirectStream) {
    this.writable = stream.writable;
    this.direct = stream.direct;
    this.#reader = stream.readable.getReader();
    this.#readSource = () => stream.read?.() ?? this.#reader.read();
    this.#reader.closed.catch(() => {});
    this.readable = new ReadableStream(
      {
        pull: async controller => {
          const { done, value } = await this.read();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: reason => this.#reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    const passes = this.#passes && this.#reads === 0 && this.#ahead.length === 0;
    return passes ? this.#readSource() : this.#next();
  }

  /** Nobody asks any longer how it ended, and what has come. */
  pass(): void {
    this.#passes = true;
  }

  async #next(): Promise<ReadableStreamReadResult<Uint8Array>> {
    this.#reads++;
    try {
      const result = await (this.#ahead.shift() ?? this.#read());
      this.#aheadBytes -= result.value?.length ?? 0;
      return result;
    } finally {
      this.#reads--;
    }
  }

  /** How the stream ended, once it has: `error` where it broke. */
  get ended(): { error?: unknown } | undefined {
    return this.#end;
  }

  /** Whether anything has come. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Bytes that have been read ahead and not been taken. */
  get aheadBytes(): number {
    return this.#aheadBytes;
  }

  /** Reads ahead until the function that it returns is called. */
  readAhead(): () => void {
    const watch = { over: false };
    void this.#readAhead(watch);
    return () => {
      watch.over = true;
    };
  }

  async #readAhead(watch: { over: boolean }): Promise<void> {
    for (let bytes = 0; !watch.over && !this.#end && bytes < MAX_AHEAD_BYTES; ) {
      const read = this.#read();
      this.#ahead.push(read);
      bytes += await read.then(
        ({ value }) => value?.length ?? 0,
        () => 0,
      );
    }
  }

  async #read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    try {
      const result = await this.#readSource();
      if (result.done) this.#end = {};
      else {
        this.#heard = true;
        this.#aheadBytes += result.value.length;
      }
      return result;
    } catch (error) {
      this.#end = { error };
      throw error;
    }
  }
}
