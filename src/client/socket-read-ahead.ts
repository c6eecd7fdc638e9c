import { ChunkQueue } from '../tunnel/wire/chunk-queue.js';
import { Wakeup } from '../util/promises.js';

const READ_AHEAD_BYTES = 64 * 1024;

export interface ReadAheadSource {
  read(): Promise<ReadableStreamReadResult<Uint8Array>>;
  /** The source has ended, and all has been taken. */
  onEnd(): void;
  /** Called at once, although not all may have been taken. */
  onFailure(error: unknown): void;
  onCancel(reason: unknown): Promise<void>;
}

/**
 * Reads a source ahead of whoever takes its bytes, so that its end is noticed although nobody reads, and nothing that came
 * before a failure is lost with the source. End and failure come behind all that was read.
 */
export class ReadAhead {
  readonly readable: ReadableStream<Uint8Array>;
  #source: ReadAheadSource;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #held = new ChunkQueue();
  #ending: { error?: unknown } | undefined;
  #over = false;
  /** Of the one that waits: reading, for room; or the consumer, for bytes. */
  #change = new Wakeup();

  constructor(source: ReadAheadSource) {
    this.#source = source;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: reason => {
          this.#stop();
          return source.onCancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
    void this.#readOn();
  }

  /** Fails the stream at once; what was not taken is dropped. */
  error(reason: unknown): void {
    if (this.#over) return;
    this.#stop();
    this.#controller?.error(reason);
  }

  async #readOn(): Promise<void> {
    try {
      while (!this.#over) {
        const { done, value } = await this.#source.read();
        if (done) break;
        this.#held.push(value);
        this.#change.wake();
        while (this.#held.byteLength >= READ_AHEAD_BYTES) await this.#change.wait();
      }
      this.#ending = {};
    } catch (error) {
      this.#ending = { error };
      this.#source.onFailure(error);
    }
    this.#finishIfTaken();
  }

  async #pull(): Promise<void> {
    while (this.#held.byteLength === 0 && !this.#over) await this.#change.wait();
    const chunk = this.#held.shift();
    if (!chunk) return;
    this.#controller?.enqueue(chunk);
    this.#change.wake();
    this.#finishIfTaken();
  }

  #finishIfTaken(): void {
    if (this.#over || !this.#ending || this.#held.byteLength > 0) return;
    this.#stop();
    if ('error' in this.#ending) this.#controller?.error(this.#ending.error);
    else {
      this.#controller?.close();
      this.#source.onEnd();
    }
  }

  #stop(): void {
    this.#over = true;
    this.#held.clear();
    this.#change.wake();
  }
}
