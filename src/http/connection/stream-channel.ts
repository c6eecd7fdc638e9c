import type { EngineOutput } from '../../tls/ciphers/record-cipher.js';
import type { PlaintextChannel, PlaintextSink } from '../../tls/plaintext-channel.js';

/** The two streams of a connection as one channel. */
export class StreamChannel implements PlaintextChannel {
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: WritableStreamDefaultWriter<Uint8Array>;

  /** Locks both streams. */
  constructor({
    readable,
    writable,
  }: {
    readable: ReadableStream<Uint8Array>;
    writable: WritableStream<Uint8Array>;
  }) {
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  async receive(sink: PlaintextSink): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    if (!done) sink.data([value]);
    return !done;
  }

  hasRoom(): boolean {
    return (this.#writer.desiredSize ?? 0) > 0;
  }

  untilWritable(): Promise<void> {
    return this.#writer.ready.then(() => {});
  }

  async send({ take }: EngineOutput): Promise<void> {
    take(pieces => {
      // A failed write shows in `ready`, or in `close`.
      for (const piece of pieces) this.#writer.write(piece.slice()).catch(() => {});
    });
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  abort(reason: unknown): void {
    this.#writer.abort(reason).catch(() => {});
    this.#reader.cancel(reason).catch(() => {});
  }
}
