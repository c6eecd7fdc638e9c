/** Something that holds bytes and can be ended. */
export interface MemoryHolder {
  /** Whom it counts for: an address, or the subject of a JWT. */
  readonly account: string;
  readonly heldBytes: number;
  /** Ends it, because there is too much in all, and its account has most of it. */
  dropForMemory(): void;
}

// A second's quarter: windows bound what one WebSocket can add meanwhile.
const INTERVAL_MS = 250;

/** Looks at what all hold together, again and again. */
export class MemoryWatch {
  readonly #timer: NodeJS.Timeout;

  constructor(look: () => void) {
    this.#timer = setInterval(look, INTERVAL_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

interface Held {
  holder: MemoryHolder;
  bytes: number;
}

/** Ends holders until the rest is within the limit: each time the largest one of the account that has most. */
export function dropLargest(holders: Iterable<MemoryHolder>, maxBytes: number): void {
  const all = Array.from(holders, (holder): Held => ({ holder, bytes: holder.heldBytes }));
  let total = sumOf(all);
  if (total <= maxBytes) return;
  const accounts = new Map<string, Held[]>();
  for (const each of all.sort((a, b) => a.bytes - b.bytes)) {
    const { account } = each.holder;
    const others = accounts.get(account);
    if (others) others.push(each);
    else accounts.set(account, [each]);
  }
  while (total > maxBytes) {
    const [largest] = [...accounts.values()].sort((a, b) => sumOf(b) - sumOf(a));
    const dropped = largest?.pop();
    if (!dropped) return;
    dropped.holder.dropForMemory();
    total -= dropped.bytes;
  }
}

function sumOf(held: Held[]): number {
  return held.reduce((sum, { bytes }) => sum + bytes, 0);
}
