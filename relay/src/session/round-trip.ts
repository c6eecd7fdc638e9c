import { performance } from 'node:perf_hooks';
import { encodePing, encodePong } from '../../../src/tunnel/wire/frames.js';
import type { Outbox } from './outbox.js';

/** The round trip is measured again at most so often. */
const INTERVAL_MS = 1000;

/** PING and PONG of both sides. */
export class RoundTrip {
  readonly #outbox: Outbox;
  #shortestMs: number | undefined;
  #lastPing = 0;
  #lastPong = 0;
  #pingSentAt = Number.NEGATIVE_INFINITY;
  /** The newest PING of the page's that has no PONG. */
  #asked: number | undefined;
  #answering = false;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  get shortestMs(): number | undefined {
    return this.#shortestMs;
  }

  /** Whether the page has answered this PING, or a later one. */
  hasAnswered(ping: number): boolean {
    return this.#lastPong >= ping;
  }

  /** Sends a PING; gives its number. */
  ping(): number {
    this.#pingSentAt = performance.now();
    this.#lastPing++;
    this.#outbox.sendControl(encodePing(this.#lastPing));
    return this.#lastPing;
  }

  /** Measures again, when the last time is long ago. */
  refresh(): void {
    if (this.hasAnswered(this.#lastPing) && performance.now() - this.#pingSentAt >= INTERVAL_MS) this.ping();
  }

  /** A PONG of the page's; `false` for an answer to what was not asked. */
  answered(nonce: number): boolean {
    if (nonce === 0 || nonce > this.#lastPing) return false;
    if (nonce === this.#lastPing && nonce > this.#lastPong) {
      const tookMs = performance.now() - this.#pingSentAt;
      this.#shortestMs = Math.min(tookMs, this.#shortestMs ?? tookMs);
    }
    this.#lastPong = Math.max(nonce, this.#lastPong);
    return true;
  }

  /** A PING of the page's. One PONG is under way at a time: a page that never listens must not collect them here. */
  answer(nonce: number): void {
    this.#asked = nonce;
    if (!this.#answering) this.#pong();
  }

  #pong(): void {
    const nonce = this.#asked;
    this.#answering = nonce !== undefined;
    if (nonce === undefined) return;
    this.#asked = undefined;
    this.#outbox.sendControl(encodePong(nonce), () => this.#pong());
  }
}
