import type { DirectStream, DirectWriter } from '../tunnel/direct-writer.js';
import { Turns } from '../util/turns.js';

/** How long a server may take to hang up on a connection that has failed. */
const PARTING_MS = 2_000;

/** The byte stream below a TLS connection, and its ends. Its failures show where it is read and written. */
export class Transport {
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #direct: DirectWriter | undefined;
  readonly read: () => Promise<ReadableStreamReadResult<Uint8Array>>;
  #turns = new Turns();
  #endWaiting: (reason: unknown) => void = () => {};

  constructor(stream: DirectStream) {
    this.#direct = stream.direct;
    this.#reader = stream.readable.getReader();
    this.#writer = stream.writable.getWriter();
    // These promises only repeat what reading and writing tell.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
    this.read = () => stream.read?.() ?? this.#reader.read();
  }

  /** What has been read is not used any longer. */
  free(chunk: Uint8Array): void {
    this.#direct?.free(chunk);
  }

  /** Does not wait for room. With `roomBytes` the bytes are good for the call alone, and so many in front of them may be written over. */
  write(bytes: Uint8Array, roomBytes?: number): void {
    if (this.#direct) this.#direct.write(bytes, roomBytes);
    else this.#writer.write(roomBytes === undefined ? bytes : bytes.slice()).catch(() => {});
  }

  /** Whether a message would leave at once. */
  hasRoom(): boolean {
    return (this.#writer.desiredSize ?? 0) > 0 && this.#direct?.roomAhead() === undefined;
  }

  /** Resolves when there is room; rejects when there will be none, or by `endWaiting`. */
  untilWritable(): Promise<void> {
    return this.#until(() => this.#direct?.roomAhead());
  }

  /** Resolves when all has left; rejects as `untilWritable` does. */
  untilSent(): Promise<void> {
    return this.#until(() => this.#direct?.drained());
  }

  /** Rejects what waits for room. */
  endWaiting(reason: unknown): void {
    this.#endWaiting(reason);
  }

  /** Ends this side alone. */
  closeWriting(): void {
    this.#writer.close().catch(() => {});
  }

  /** Both sides have said all. */
  async finish(): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel().catch(() => {});
  }

  /** Gives it up when the server has hung up, or after a while: giving up at once may lose an alert that is on its way. */
  async part(): Promise<void> {
    const timer = setTimeout(() => this.giveUp(), PARTING_MS);
    try {
      await this.#writer.close();
      while (!(await this.read()).done) await this.#turns.next();
    } catch {
      // It has ended as well.
    }
    clearTimeout(timer);
    this.giveUp();
  }

  #until(missing: () => Promise<void> | undefined): Promise<void> {
    const wait = async () => {
      await this.#writer.ready;
      for (let next = missing(); next; next = missing()) await next;
      await this.#writer.ready;
    };
    return new Promise((resolve, reject) => {
      this.#endWaiting = reject;
      wait().then(resolve, reject);
    });
  }

  giveUp(reason?: unknown): void {
    this.#reader.cancel(reason).catch(() => {});
    this.#writer.abort(reason).catch(() => {});
  }
}
