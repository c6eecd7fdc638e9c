import type { HostPort } from '../../util/host-port.js';
import type { RelayedStream } from './relayed-stream.js';

interface Waiter {
  address: HostPort;
  resolve(stream: RelayedStream | undefined): void;
  reject(error: unknown): void;
  /** Waits without end from now on. */
  keepWaiting(): void;
}

interface WaitOptions {
  signal: AbortSignal | undefined;
  /** 0: for ever. */
  timeoutMs: number;
  onTimeout(): unknown;
}

/** Those who wait for a stream, in the order in which they came. */
export class Waiting {
  readonly #waiters = new Set<Waiter>();

  get size(): number {
    return this.#waiters.size;
  }

  /** Resolves with undefined when another socket has to be asked. */
  add(address: HostPort, { signal, timeoutMs, onTimeout }: WaitOptions): Promise<RelayedStream | undefined> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        address,
        resolve: stream => {
          settle();
          resolve(stream);
        },
        reject: error => {
          settle();
          reject(error);
        },
        keepWaiting: () => clearTimeout(timer),
      };
      const onAbort = () => waiter.reject(signal?.reason);
      const timer = timeoutMs > 0 ? setTimeout(() => waiter.reject(onTimeout()), timeoutMs) : undefined;
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted) onAbort();
    });
  }

  /** Gives the first one its stream. */
  next(start: (address: HostPort) => RelayedStream): void {
    const [waiter] = this.#waiters;
    if (!waiter) return;
    // It waits no longer, should the socket now dismiss those who do.
    this.#waiters.delete(waiter);
    waiter.resolve(start(waiter.address));
  }

  /** Lets all ask another socket. */
  dismiss(): void {
    for (const waiter of [...this.#waiters]) waiter.resolve(undefined);
  }

  /** Fails all with an error that takes its time. */
  async failWith(error: Promise<unknown>): Promise<void> {
    for (const waiter of this.#waiters) waiter.keepWaiting();
    this.fail(await error);
  }

  fail(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
