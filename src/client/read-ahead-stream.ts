import { cutHandshakeError } from '../tls/failure.js';
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
export class ReadAheadStream implements TunnelStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #ahead: Promise<ReadableStreamReadResult<Uint8Array>>[] = [];
  /** What has been read ahead and not been taken. */
  #aheadBytes = 0;
  /** How it ended, once it has: `error` where it broke. */
  #end: { error?: unknown } | undefined;

  constructor({ readable, writable }: TunnelStream) {
    this.writable = writable;
    this.#reader = readable.getReader();
    this.#reader.closed.catch(() => {});
    this.readable = new ReadableStream(
      {
        pull: async controller => {
          const { done, value } = await (this.#ahead.shift() ?? this.#read());
          if (done) return controller.close();
          this.#aheadBytes -= value.length;
          controller.enqueue(value);
        },
        cancel: reason => this.#reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  /**
   * @throws HungUp when the stream has ended before there was an answer; where that was no long wait, and nothing came before
   * the end, what the handshake fails with, as the answer has no part in it; or what `answer` threw
   */
  async during<T>(answer: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    const watch = { over: false };
    this.#readAhead(watch);
    try {
      const given = await answer();
      if (!this.#end) return given;
      if (performance.now() - startMs >= LEAST_WAIT_MS) throw new HungUp();
      if (this.#aheadBytes === 0) throw cutHandshakeError(this.#end.error);
      return given;
    } finally {
      watch.over = true;
    }
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
      const result = await this.#reader.read();
      if (result.done) this.#end = {};
      else this.#aheadBytes += result.value.length;
      return result;
    } catch (error) {
      this.#end = { error };
      throw error;
    }
  }
}
