import { encodeGoAway } from '../../../src/tunnel/wire/frames.js';
import type { Outbox } from './outbox.js';
import type { RoundTrip } from './round-trip.js';

/** Time for a page's streams to end after GOAWAY. */
const TIMEOUT_MS = 300_000;

export interface DepartureOptions {
  outbox: Outbox;
  roundTrip: RoundTrip;
  /** The page's streams have had their time. */
  onTimeout: () => void;
}

/** Sends a page on to another socket: GOAWAY, and when no stream can come any more. */
export class Departure {
  readonly #options: DepartureOptions;
  /** Until GOAWAY, the wait for it; then the wait for the streams to end. */
  #timer: NodeJS.Timeout | undefined;
  /** The PING behind GOAWAY: with its answer, all that the page opened before it knew of GOAWAY is here. */
  #ping: number | undefined;

  constructor(options: DepartureOptions) {
    this.#options = options;
  }

  /** Begins when the socket has this age; 0 never. */
  beginAfter(ageMs: number): void {
    if (ageMs > 0) this.#timer = setTimeout(() => this.begin(), ageMs);
  }

  begin(): void {
    if (this.#ping !== undefined) return;
    const { outbox, roundTrip, onTimeout } = this.#options;
    outbox.sendControl(encodeGoAway());
    this.#ping = roundTrip.ping();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(onTimeout, TIMEOUT_MS);
  }

  /** Whether the page knows, and has no stream under way. */
  get isKnown(): boolean {
    return this.#ping !== undefined && this.#options.roundTrip.hasAnswered(this.#ping);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
