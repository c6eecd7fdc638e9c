import { MtlsError } from '../errors.js';

/** How far the key derivations of an import are, in iterations; `total` may grow when encrypted content turns up more. */
export interface ImportProgress {
  completed: number;
  total: number;
}

/** The cost of an import: planned before it is spent, and reported as it is. */
export class Work {
  #maxIterations: number;
  #onProgress: ((progress: ImportProgress) => void) | undefined;
  #signal: AbortSignal | undefined;
  #total = 0;
  #completed = 0;

  constructor(options: {
    maxIterations: number;
    onProgress?: ((progress: ImportProgress) => void) | undefined;
    signal?: AbortSignal | undefined;
  }) {
    this.#maxIterations = options.maxIterations;
    this.#onProgress = options.onProgress;
    this.#signal = options.signal;
  }

  /** Call with all that is known to come, before any of it begins. */
  plan(iterations: readonly number[]): void {
    this.#total += iterations.reduce((sum, it) => sum + it, 0);
    if (this.#total > this.#maxIterations) {
      throw new MtlsError(
        'ERR_P12_TOO_EXPENSIVE',
        `The file asks for ${this.#total} iterations of key derivation, the limit is ${this.#maxIterations}.`,
      );
    }
  }

  complete(iterations: number): void {
    this.#completed = Math.min(this.#completed + iterations, this.#total);
    const progress = { completed: Math.round(this.#completed), total: this.#total };
    // In a turn of its own, as events are: what the callback throws is no failure of the import.
    queueMicrotask(() => this.#onProgress?.(progress));
  }

  throwIfAborted(): void {
    this.#signal?.throwIfAborted();
  }
}

/** Lets the page paint and handle events: a task's end, without the delay that timers have. */
export function nextTask(): Promise<void> {
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
