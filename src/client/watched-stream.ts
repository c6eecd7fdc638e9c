import type { TunnelStream } from '../tunnel/tunnel.js';

/** More than a server says before it waits for the client: what comes beyond it is not read ahead. */
const MAX_AHEAD_BYTES = 64 * 1024;
/** A server that hangs up sooner has another reason than the wait. */
const LEAST_WAIT_MS = 500;

/** The server has given up during a wait that was not its own. */
export class HungUp extends Error {
  constructor() {
    super('The server hung up while an answer was awaited.');
  }
}

/** A stream that notices the other side's end while nobody reads. */
export class WatchedStream implements TunnelStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #ahead: Promise<ReadableStreamReadResult<Uint8Array>>[] = [];
  #ended = false;

  constructor({ readable, writable }: TunnelStream) {
    this.writable = writable;
    this.#reader = readable.getReader();
    this.#reader.closed.catch(() => {});
    this.readable = new ReadableStream(
      {
        pull: async controller => {
          const { done, value } = await (this.#ahead.shift() ?? this.#read());
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: reason => this.#reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  /** @throws HungUp when the stream has ended before there was an answer; or what `answer` threw */
  async during<T>(answer: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    const watch = { over: false };
    this.#readAhead(watch);
    try {
      const given = await answer();
      if (this.#ended && performance.now() - startMs >= LEAST_WAIT_MS) throw new HungUp();
      return given;
    } finally {
      watch.over = true;
    }
  }

  async #readAhead(watch: { over: boolean }): Promise<void> {
    for (let bytes = 0; !watch.over && !this.#ended && bytes < MAX_AHEAD_BYTES; ) {
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
      const result = await this.#reader.read();
      this.#ended ||= result.done;
      return result;
    } catch (error) {
      this.#ended = true;
      throw error;
    }
  }
}
