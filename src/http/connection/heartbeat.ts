import type { HttpEngine, Ping } from '../http-engine.js';

/** Often enough for the shortest timeout. */
const TICK_MS = 250;

/** Tells the engine that time passes, as long as a connection waits for something. */
export class Heartbeat {
  readonly ping: Ping | undefined;

  #engine: HttpEngine;
  #holders = new Set<object>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #lastMs = performance.now();

  constructor(engine: HttpEngine, ping: Ping) {
    this.#engine = engine;
    this.ping = ping.intervalMs > 0 ? ping : undefined;
  }

  hold(holder: object): void {
    if (!this.ping) return;
    this.#holders.add(holder);
    if (this.#timer !== undefined) {
      keepProcess(this.#timer, true);
      return;
    }
    // A page that was busy or asleep has answers yet to read: it shall not take its own silence for the server's.
    const longestMs = this.ping.timeoutMs / 4;
    // After a pause as long as the interval, the next request goes out with a ping: what may have died meanwhile shows soon.
    this.#beat(this.ping.intervalMs);
    this.#timer = setInterval(
      () => {
        if (this.#holders.size > 0) this.#beat(longestMs);
        else this.#stop();
      },
      Math.max(TICK_MS, longestMs / 2),
    );
  }

  /** The timer goes on until its next turn: requests one after the other need none of their own. */
  release(holder: object): void {
    this.#holders.delete(holder);
    if (this.#holders.size === 0) keepProcess(this.#timer, false);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #beat(longestMs: number): void {
    const nowMs = performance.now();
    const elapsedMs = Math.min(nowMs - this.#lastMs, longestMs);
    this.#lastMs = nowMs;
    try {
      this.#engine.advance(elapsedMs);
    } catch {
      // The engine has failed, and has told its connections.
      clearInterval(this.#timer);
    }
  }
}

/** In Node, a timer keeps the process alive unless told otherwise. */
function keepProcess(timer: ReturnType<typeof setInterval> | undefined, keep: boolean): void {
  if (typeof timer !== 'object') return;
  if (keep) timer.ref();
  else timer.unref();
}
