import { encodePing } from './frames.js';

/** After so long no answer is expected. */
const UNANSWERED_MS = 10_000;

/** Asks the relay for signs of life, and measures the round trip by its answers. */
export class Pinger {
  readonly #send: (message: Uint8Array<ArrayBuffer>) => void;
  #number = 0;
  #askedAtMs = 0;
  #open = false;
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
    this.#shortestMs = Math.min(this.#shortestMs ?? Number.POSITIVE_INFINITY, this.sinceMs);
  }
}
