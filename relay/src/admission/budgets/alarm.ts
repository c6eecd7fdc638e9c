import { MAX_TIMER_MS } from '../../../../src/util/options.js';

/** Rings once, at a time in milliseconds since 1970, which may be further away than timers reach. */
export class Alarm {
  readonly #time: number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(time: number, ring: () => void) {
    this.#time = time;
    this.#ring = ring;
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const leftMs = this.#time - Date.now();
    const next = () => (leftMs > MAX_TIMER_MS ? this.#wait() : this.#ring());
    this.#timer = setTimeout(next, Math.min(Math.max(leftMs, 0), MAX_TIMER_MS));
  }
}
