import { encodePing } from './frames.js';

/** Ticks in the shorter of interval and timeout. */
const TICKS = 4;

export interface KeepAliveOptions {
  /** After this much silence the relay is asked for a sign of life; 0: never. */
  intervalMs: number;
  /** How long it may take to answer. */
  timeoutMs: number;
}

/**
 * Notices a relay that has gone without a word: a browser's WebSocket does so only when TCP does, after many minutes.
 *
 * Silence is counted in ticks, not by the clock: a page that was suspended, or whose timers are slowed down, has
 * messages yet to read, and shall not take its own silence for the relay's.
 */
export class KeepAlive {
  #webSocket: WebSocket;
  #options: KeepAliveOptions;
  #onSilent: () => void;
  #silentMs = 0;
  #asked = false;
  #bufferedBytes = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(webSocket: WebSocket, options: KeepAliveOptions, onSilent: () => void) {
    this.#webSocket = webSocket;
    this.#options = options;
    this.#onSilent = onSilent;
    if (options.intervalMs === 0) return;
    const tickMs = Math.min(options.intervalMs, options.timeoutMs) / TICKS;
    this.#timer = setInterval(() => this.#tick(tickMs), tickMs);
    // In Node, a connection that nobody uses shall not keep the process alive.
    if (typeof this.#timer === 'object') this.#timer.unref();
  }

  /** Something has come from the relay. */
  alive(): void {
    this.#silentMs = 0;
    this.#asked = false;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(tickMs: number): void {
    const { bufferedAmount } = this.#webSocket;
    // Behind a slow upload a question has to wait; as long as that goes on, somebody is there.
    if (bufferedAmount < this.#bufferedBytes) this.alive();
    this.#bufferedBytes = bufferedAmount;
    this.#silentMs += tickMs;
    const { intervalMs, timeoutMs } = this.#options;
    if (this.#silentMs >= intervalMs + timeoutMs) {
      this.stop();
      this.#onSilent();
    } else if (this.#silentMs >= intervalMs && !this.#asked) {
      this.#asked = true;
      this.#webSocket.send(encodePing());
    }
  }
}
