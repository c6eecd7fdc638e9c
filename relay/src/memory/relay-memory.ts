/**
 * What a relay holds of its pages' and targets' bytes, all connections together.
 *
 * From half of the bound on no window grows; from three quarters on no page gets credit or a further stream, and the queues to pages
 * shrink. Beyond the bound connections are dropped (`MemoryWatch`).
 */
export class RelayMemory {
  readonly #maxBytes: number;
  #heldBytes = 0;
  readonly #waiting = new Set<() => void>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get isScarce(): boolean {
    return this.#heldBytes >= this.#maxBytes / 2;
  }

  get isFull(): boolean {
    return this.#heldBytes >= this.#maxBytes * 0.75;
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
    if (this.#waiting.size === 0 || this.isFull) return;
    const callbacks = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of callbacks) callback();
  }

  /** Calls once, as soon as memory is no longer full; the same function is kept once. */
  whenRelieved(callback: () => void): void {
    this.#waiting.add(callback);
  }

  forget(callback: () => void): void {
    this.#waiting.delete(callback);
  }
}
