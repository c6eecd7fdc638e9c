/** What a promise gives, unless the signal comes first: then its reason. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const forget = () => signal.removeEventListener('abort', onAbort);
    promise.then(resolve, reject).finally(forget);
  });
}

/** Resolves after a time; rejects with the signal's reason when that comes first. */
export function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A promise that is settled from outside. */
export interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** As `Promise.withResolvers`, which Node 20 lacks. */
export function deferred<T>(): Deferred<T> {
  let resolve: Deferred<T>['resolve'] = () => {};
  let reject: Deferred<T>['reject'] = () => {};
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** Lets one loop wait until something has changed. */
export class Wakeup {
  #wake = () => {};

  /** Resolves at the next `wake`. */
  wait(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake();
  }
}

/** A controller that follows a signal until `unlink` is called. */
export function linkedController(signal: AbortSignal): { controller: AbortController; unlink: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return { controller, unlink: () => signal.removeEventListener('abort', abort) };
}

/** A task that several callers wait for; it is aborted when the last of them has gone before its end. */
export class SharedTask<T> {
  readonly result: Promise<T>;
  #abort = new AbortController();
  #waiting = 0;
  #settled = false;

  /** `start` is given the signal that says that nobody waits any longer. */
  constructor(start: (abandoned: AbortSignal) => Promise<T>) {
    this.result = start(this.#abort.signal).finally(() => {
      this.#settled = true;
    });
    this.result.catch(() => {});
  }

  /** Whether all callers went before the end. */
  get abandoned(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Waits for the result; rejects with the signal's reason when that comes first. */
  async join(signal?: AbortSignal): Promise<T> {
    this.#waiting++;
    try {
      return await orAborted(this.result, signal);
    } finally {
      if (--this.#waiting === 0 && !this.#settled)
        this.#abort.abort(new DOMException('Nobody waits for the result.', 'AbortError'));
    }
  }
}
