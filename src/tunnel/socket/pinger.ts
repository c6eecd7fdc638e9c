import { encodePing } from '../wire/frames.js';

/** After so long no answer is expected. */
const UNANSWERED_MS = 10_000;

/** So many answers in a row show the round trip: a page that starts is busy, and takes one late. */
const FIRST_ANSWERS = 3;

/** Asks the relay for signs of life, and measures the round trip by its answers. */
export class Pinger {
  readonly #send: (message: Uint8Array<ArrayBuffer>) => void;
  #number = 0;
  #askedAtMs = 0;
  #open = false;
  #answers = 0;
  #shortestMs: number | undefined;

  constructor(send: (message: Uint8Array<ArrayBuffer>) => void) {
    this.#send = send;
  }

  /** The shortest round trip so far, in milliseconds: longer ones have waited behind data. */
  get roundTripMs(): number | undefined {
    return this.#shortestMs;
  }

  /** Milliseconds since the last question. */
  get sinceMs(): number {
    return performance.now() - this.#askedAtMs;
  }

  ping(): void {
    this.#number = (this.#number + 1) >>> 0;
    this.#askedAtMs = performance.now();
    this.#open = true;
    this.#send(encodePing(this.#number));
  }

  /** As `ping`, unless a question is open: a relay whose messages pile up may leave one unanswered. */
  pingOnce(): void {
    if (!this.#open || this.sinceMs > UNANSWERED_MS) this.ping();
  }

  /** An answer to an older question tells nothing. */
  onPong(number: number): void {
    if (!this.#open || number !== this.#number) return;
    this.#open = false;
    this.note(this.sinceMs);
    if (++this.#answers < FIRST_ANSWERS) this.ping();
  }

  /** Another answer took so long: the round trip takes no longer. */
  note(durationMs: number): void {
    this.#shortestMs = Math.min(this.#shortestMs ?? Number.POSITIVE_INFINITY, durationMs);
  }
}
