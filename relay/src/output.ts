import type { Writable } from 'node:stream';

/** Text that may wait for a reader of the log. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Lines of a log. When nobody reads them they are dropped and counted: a log must not fill the memory. */
export class LogOutput {
  readonly #stream: Writable;
  #dropped = 0;
  #isCorked = false;

  /** `onError` is told that nothing more can be written. */
  constructor(stream: Writable, onError: (error: Error) => void = () => {}) {
    this.#stream = stream;
    // A log that nobody reads any more is no reason to cut the connections.
    let failed = false;
    stream.on('error', error => {
      if (!failed) onError(error);
      failed = true;
    });
    stream.on('drain', () => this.#reportDropped());
  }

  write(line: string): void {
    if (this.#stream.writableLength + line.length > MAX_WAITING_BYTES) {
      this.#dropped++;
      return;
    }
    this.#cork();
    this.#reportDropped();
    this.#stream.write(line);
  }

  /** The lines of a turn leave in one system call. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#stream.cork();
    setImmediate(() => {
      this.#isCorked = false;
      this.#stream.uncork();
    });
  }

  #reportDropped(): void {
    if (this.#dropped === 0) return;
    const count = this.#dropped;
    this.#dropped = 0;
    this.#stream.write(`${new Date().toISOString()} dropped lines=${count}\n`);
  }
}
