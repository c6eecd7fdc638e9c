import { MAX_WINDOW_BYTES } from './limits.js';

/** Where a window lasts shorter than this, sending credit takes more time than the network. */
const SHORTEST_MS = 2;

/** Within so many round trips a window that holds its sender up is consumed, the time to handle it included. */
const HELD_UP_ROUND_TRIPS = 1.5;

/** After such a pause the sender had nothing to say. What comes behind a lost segment comes sooner. */
const IDLE_MS = 1_000;

/** The most that is consumed before credit is given: what waits for more is missing at the sender. */
const MAX_STEP_BYTES = 1024 * 1024;

/** The part of what is left of a budget that a stream may have before it needs it. */
const SHARE_AHEAD = 1 / 6;

/** Consumed bytes for which credit is given: often enough that a sender never waits for a receiver that keeps up, and seldom enough to cost nothing. */
export function creditStep(windowBytes: number): number {
  return Math.min(windowBytes / 4, MAX_STEP_BYTES);
}

/** What the windows of a socket's streams may grow by, all together: a bound for its memory. */
export class GrowthBudget {
  /** The largest window that a stream has needed so far. */
  neededBytes = 0;
  #spareBytes: number;

  constructor(bytes: number) {
    this.#spareBytes = bytes;
  }

  /** Takes so many bytes, or what is left; gives how many. */
  take(bytes: number): number {
    const taken = Math.min(bytes, this.#spareBytes);
    this.#spareBytes -= taken;
    return taken;
  }

  /** The same, and leaves most of what is left to others. */
  takeAhead(bytes: number): number {
    return this.take(Math.max(0, Math.min(bytes, Math.floor(this.#spareBytes * SHARE_AHEAD))));
  }

  giveBack(bytes: number): void {
    this.#spareBytes += bytes;
  }
}

export interface ReceiveWindowOptions {
  initialBytes: number;
  /** The window never grows beyond it; default 16 MiB. */
  maxBytes?: number;
  budget: GrowthBudget;
  /** A window that lasts shorter than this many milliseconds may grow on any path; default 2. */
  shortestMs?: number;
  /** The shortest round trip seen on the socket, in milliseconds; undefined before the first. */
  roundTripMs: () => number | undefined;
}

/**
 * The window of one direction of a stream, at its receiver.
 *
 * A sender that is held up by the window moves one window in a round trip. So when a whole window has been consumed in one
 * round trip, the path may carry far more, and the window becomes four times as large, or as large as another one of the socket has
 * needed; in less than two, it doubles. The budget bounds that. So no window is larger than six times what the path carries in a round
 * trip.
 */
export class ReceiveWindow {
  readonly #options: ReceiveWindowOptions;
  #windowBytes: number;
  /** Granted, and not received yet. */
  #openBytes: number;
  /** Consumed, and not granted again. */
  #consumedBytes = 0;
  /** Of the measurement that runs. */
  #measuredBytes = 0;
  #measuredSince = 0;
  #receivedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ReceiveWindowOptions) {
    this.#options = options;
    this.#windowBytes = options.initialBytes;
    this.#openBytes = options.initialBytes;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** Before the first byte: grows towards what others on the socket have needed, and gives the credit for it. */
  growAhead(): number {
    const { budget } = this.#options;
    const growth = budget.takeAhead(Math.min(budget.neededBytes, this.#maxBytes()) - this.#windowBytes);
    this.#windowBytes += growth;
    this.#openBytes += growth;
    return growth;
  }

  /** Counts what has come; `false` when the sender had no credit for it. */
  receive(bytes: number): boolean {
    const now = performance.now();
    if (now - this.#receivedAt >= Math.max(IDLE_MS, this.#longestMs() ?? 0)) {
      this.#measuredBytes = 0;
      this.#measuredSince = now;
    }
    this.#receivedAt = now;
    this.#openBytes -= bytes;
    return this.#openBytes >= 0;
  }

  /** Counts what has been consumed; gives the credit that is to be granted now, or 0. */
  consume(bytes: number): number {
    this.#consumedBytes += bytes;
    const growth = this.#grow(bytes);
    if (growth === 0 && this.#consumedBytes < creditStep(this.#windowBytes)) return 0;
    const credit = this.#consumedBytes + growth;
    this.#consumedBytes = 0;
    this.#openBytes += credit;
    return credit;
  }

  /** Gives back to the budget what the window had grown by. */
  release(): void {
    this.#options.budget.giveBack(this.#windowBytes - this.#options.initialBytes);
    this.#windowBytes = this.#options.initialBytes;
  }

  #grow(bytes: number): number {
    this.#measuredBytes += bytes;
    if (this.#measuredBytes < this.#windowBytes) return 0;
    const now = performance.now();
    const durationMs = now - this.#measuredSince;
    this.#measuredBytes = 0;
    this.#measuredSince = now;
    const longestMs = this.#longestMs();
    if (longestMs === undefined || durationMs >= longestMs) return 0;
    const { budget } = this.#options;
    const wantedBytes = this.#isHeldUp(durationMs)
      ? Math.max(4 * this.#windowBytes, budget.neededBytes)
      : 2 * this.#windowBytes;
    const growth = budget.take(Math.min(wantedBytes, this.#maxBytes()) - this.#windowBytes);
    this.#windowBytes += growth;
    budget.neededBytes = Math.max(budget.neededBytes, this.#windowBytes);
    return growth;
  }

  #maxBytes(): number {
    return this.#options.maxBytes ?? MAX_WINDOW_BYTES;
  }

  #isHeldUp(durationMs: number): boolean {
    return durationMs < HELD_UP_ROUND_TRIPS * (this.#options.roundTripMs() ?? 0);
  }

  /** A window that lasts longer does not hold its sender up; undefined while nothing is known of the path. */
  #longestMs(): number | undefined {
    const { shortestMs = SHORTEST_MS } = this.#options;
    const roundTripMs = this.#options.roundTripMs();
    return roundTripMs === undefined ? undefined : Math.max(2 * roundTripMs, shortestMs);
  }
}
