import type { DoorLimit } from '../../events.js';

const INTERVAL_MS = 1000;

/** Counts those who are kept out, and reports once a second: a flood must not be one of the log as well. */
export class Tally {
  readonly #report: (limit: DoorLimit, count: number, remoteAddress: string) => void;
  readonly #counts = new Map<DoorLimit, { count: number; remoteAddress: string }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(report: (limit: DoorLimit, count: number, remoteAddress: string) => void) {
    this.#report = report;
  }

  note(limit: DoorLimit, remoteAddress: string): void {
    const count = (this.#counts.get(limit)?.count ?? 0) + 1;
    this.#counts.set(limit, { count, remoteAddress });
    this.#timer ??= setTimeout(() => this.flush(), INTERVAL_MS).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [limit, { count, remoteAddress }] of this.#counts) this.#report(limit, count, remoteAddress);
    this.#counts.clear();
  }
}
