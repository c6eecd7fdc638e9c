import { fetchError } from '../fetch-error.js';
import type { BodyFailure } from '../raw-response.js';
import { noteUnshared } from './read-all.js';

/** What is read ahead of the page, so that a small body frees its connection although nobody reads it. */
const READ_AHEAD_BYTES = 64 * 1024;

export interface ResponseBodySource {
  /** More is wanted. Called once the body has begun. */
  pull(): void;
  /** The page wants no more of it. */
  cancel(reason: unknown): void;
  /** An abort fails the body, until the page has taken all of it. */
  signal: AbortSignal | undefined;
}

/** The body of a response as the page reads it. */
export class ResponseBody {
  readonly stream: ReadableStream<Uint8Array>;
  /** What it failed with, before all of it was taken. */
  failure: BodyFailure | undefined;

  #source: ResponseBodySource;
  #begun = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #pulled: (() => void) | undefined;
  /** It is complete or has failed, but not all that came of it has been taken. */
  #ending: { error?: unknown } | undefined;
  /** The page wants no more of it. */
  #dropped = false;
  #onAbort: (() => void) | undefined;

  constructor(source: ResponseBodySource) {
    this.#source = source;
    this.stream = new ReadableStream<Uint8Array>(
      {
        // Set explicitly, so that a polluted Object.prototype.type has no effect.
        type: undefined,
        start: controller => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: reason => {
          this.#dropped = true;
          this.#stopListening();
          source.cancel(reason);
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: READ_AHEAD_BYTES }),
    );
    noteUnshared(this.stream);
  }

  /** The head has come. */
  begin(): void {
    this.#begun = true;
    if (this.#pulled) this.#source.pull();
  }

  enqueue(bytes: Uint8Array): void {
    this.#controller?.enqueue(bytes);
    this.#settlePull();
  }

  /** Behind what was read ahead of the page. */
  end(ending: { error?: unknown } = {}): void {
    this.#ending = ending;
    if ('error' in ending && !this.#dropped) this.failure = { reason: ending.error };
    this.#listenUntilTaken();
    this.#endWhenTaken(ending);
    this.#settlePull();
  }

  /** At once: what was read ahead is lost. Returns the reason as the page sees it. */
  fail(reason: unknown): unknown {
    const failure = { reason: fetchError(reason) };
    if (!this.#dropped) this.failure = failure;
    this.#controller?.error(failure.reason);
    this.#settlePull();
    return failure.reason;
  }

  /** Until the page has taken what was read ahead, an abort takes it away (Fetch standard, "abort a fetch() call"). */
  #endWhenTaken(ending: { error?: unknown }): void {
    if (this.#controller?.desiredSize !== READ_AHEAD_BYTES) return;
    if ('error' in ending) this.#controller.error(ending.error);
    else this.#controller.close();
    this.#stopListening();
  }

  /** A signal that lives long keeps no response that nobody reads. */
  #listenUntilTaken(): void {
    const { signal } = this.#source;
    if (!signal) return;
    const body = new WeakRef(this);
    this.#onAbort = () => void body.deref()?.fail(signal.reason);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  #stopListening(): void {
    if (this.#onAbort) this.#source.signal?.removeEventListener('abort', this.#onAbort);
  }

  #pull(): Promise<void> {
    if (this.#ending) {
      this.#endWhenTaken(this.#ending);
      return Promise.resolve();
    }
    return new Promise(resolve => {
      this.#pulled = resolve;
      if (this.#begun) this.#source.pull();
    });
  }

  #settlePull(): void {
    const pulled = this.#pulled;
    this.#pulled = undefined;
    pulled?.();
  }
}
