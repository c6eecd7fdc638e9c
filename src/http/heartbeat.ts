import type { HttpEngine, Ping } from './http-engine.js';

/** Often enough for the shortest timeout. */
const TICK_MS = 250;

/** Tells the engine that time passes, as long as a connection waits for something. */
export class Heartbeat {
  readonly ping: Ping | undefined;

  #engine: HttpEngine;
  #holders = new Set<object>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #lastMs = 0;

  constructor(engine: HttpEngine, ping: Ping) {
    this.#engine = engine;
    this.ping = ping.intervalMs > 0 ? ping : undefined;
  }

  hold(holder: object): void {
    if (!this.ping) return;
    this.#holders.add(holder);
    if (this.#timer !== undefined) return;
    this.#lastMs = performance.now();
    this.#timer = setInterval(() => this.#beat(), Math.max(TICK_MS, this.ping.timeoutMs / 8));
  }

  release(holder: object): void {
    this.#holders.delete(holder);
    if (this.#holders.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #beat(): void {
    const nowMs = performance.now();
    // A page that was busy or asleep has answers yet to read: it shall not take its own silence for the server's.
    const elapsedMs = Math.min(nowMs - this.#lastMs, (this.ping?.timeoutMs ?? 0) / 4);
    this.#lastMs = nowMs;
    this.#engine.advance(elapsedMs);
  }
}
