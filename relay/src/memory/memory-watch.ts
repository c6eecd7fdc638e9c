/** Something that holds bytes and can be ended. */
export interface MemoryHolder {
  readonly heldBytes: number;
  /** Ends it, because it holds more than others when there is too much in all. */
  dropForMemory(): void;
}

// A second's quarter: windows bound what one WebSocket can add meanwhile.
const INTERVAL_MS = 250;

/** Looks at what all hold together, and ends those that hold most until the rest is within the limit. */
export class MemoryWatch {
  readonly #timer: NodeJS.Timeout;

  constructor(holders: () => Iterable<MemoryHolder>, maxBytes: number) {
    this.#timer = setInterval(() => dropLargest(holders(), maxBytes), INTERVAL_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

export function dropLargest(holders: Iterable<MemoryHolder>, maxBytes: number): void {
  const held = Array.from(holders, holder => ({ holder, bytes: holder.heldBytes }));
  let total = held.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total <= maxBytes) return;
  for (const { holder, bytes } of held.sort((a, b) => b.bytes - a.bytes)) {
    if (total <= maxBytes) return;
    holder.dropForMemory();
    total -= bytes;
  }
}
