import type { TunnelStream } from '../tunnel/tunnel.js';
import { Turns } from '../util/turns.js';

/** How long a server may take to hang up on a connection that has failed. */
const PARTING_MS = 2_000;

/** The byte stream below a TLS connection, and its ends. Its failures show where it is read and written. */
export class Transport {
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #turns = new Turns();
  #endWaiting: (reason: unknown) => void = () => {};

  constructor(stream: TunnelStream) {
    this.#reader = stream.readable.getReader();
    this.#writer = stream.writable.getWriter();
    // These promises only repeat what reading and writing tell.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    return this.#reader.read();
  }

  /** Does not wait for room. */
  write(bytes: Uint8Array): void {
    this.#writer.write(bytes).catch(() => {});
  }

  /** Resolves when there is room; rejects when there will be none, or by `endWaiting`. */
  untilWritable(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#endWaiting = reject;
      this.#writer.ready.then(() => resolve(), reject);
    });
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
      while (!(await this.#reader.read()).done) await this.#turns.next();
    } catch {
      // It has ended as well.
    }
    clearTimeout(timer);
    this.giveUp();
  }

  giveUp(reason?: unknown): void {
    this.#reader.cancel(reason).catch(() => {});
    this.#writer.abort(reason).catch(() => {});
  }
}
