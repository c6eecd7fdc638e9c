/** Ticks in the shorter of interval and timeout. */
const TICKS = 4;

/** How long the answer to a probe may take. */
const PROBE_TIMEOUT_MS = 5_000;

export interface KeepAliveOptions {
  /** After this much silence the relay is asked for a sign of life; 0: never. */
  intervalMs: number;
  /** How long it may take to answer. */
  timeoutMs: number;
}

/** What is watched. */
export interface Watched {
  readonly bufferedAmount: number;
  ping(): void;
  onSilent(): void;
}

/**
 * Notices a relay that has gone without a word: a browser's WebSocket does so only when TCP does, after many minutes.
 *
 * Silence is counted in ticks, not by the clock: a page that was suspended, or whose timers are slowed down, has
 * messages yet to read, and shall not take its own silence for the relay's.
 */
export class KeepAlive {
  readonly #watched: Watched;
  readonly #options: KeepAliveOptions;
  #silentMs = 0;
  #asked = false;
  #bufferedBytes = 0;
  #ticks: Ticks | undefined;
  #probe: Ticks | undefined;

  constructor(watched: Watched, options: KeepAliveOptions) {
    this.#watched = watched;
    this.#options = options;
  }

  /** From now on somebody waits for the relay. */
  start(): void {
    const { intervalMs, timeoutMs } = this.#options;
    if (intervalMs === 0 || this.#ticks) return;
    this.alive();
    this.#ticks = new Ticks(Math.min(intervalMs, timeoutMs) / TICKS, tickMs => this.#tick(tickMs));
  }

  stop(): void {
    this.#ticks?.stop();
    this.#ticks = undefined;
    this.#endProbe();
  }

  /** Something has come from the relay. */
  alive(): void {
    this.#silentMs = 0;
    this.#asked = false;
    if (this.#probe) this.#endProbe();
  }

  /** Asks at once, and waits for a shorter time: there is reason to doubt. */
  probe(): void {
    if (!this.#ticks || this.#probe) return;
    const timeoutMs = Math.min(PROBE_TIMEOUT_MS, this.#options.timeoutMs);
    let leftMs = timeoutMs;
    this.#watched.ping();
    this.#probe = new Ticks(timeoutMs / TICKS, tickMs => {
      leftMs -= tickMs;
      this.#noteProgress();
      if (this.#probe && leftMs <= 0) this.#giveUp();
    });
  }

  #tick(tickMs: number): void {
    this.#noteProgress();
    this.#silentMs += tickMs;
    const { intervalMs, timeoutMs } = this.#options;
    if (this.#silentMs >= intervalMs + timeoutMs) this.#giveUp();
    else if (this.#silentMs >= intervalMs && !this.#asked) {
      this.#asked = true;
      this.#watched.ping();
    }
  }

  /** Behind a slow upload a question has to wait; as long as that goes on, somebody is there. */
  #noteProgress(): void {
    const { bufferedAmount } = this.#watched;
    if (bufferedAmount < this.#bufferedBytes) this.alive();
    this.#bufferedBytes = bufferedAmount;
  }

  #giveUp(): void {
    this.stop();
    this.#watched.onSilent();
  }

  #endProbe(): void {
    this.#probe?.stop();
    this.#probe = undefined;
  }
}

/** A timer that does not keep Node's process alive. */
class Ticks {
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(tickMs: number, onTick: (tickMs: number) => void) {
    this.#timer = setInterval(() => onTick(tickMs), tickMs);
    if (typeof this.#timer === 'object') this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
