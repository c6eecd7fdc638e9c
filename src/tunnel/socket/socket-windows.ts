import { GrowthBudget, ReceiveWindow } from '../wire/receive-window.js';

const MIB = 1024 * 1024;

/** What the windows of a socket's streams may grow by, all together. */
const GROWTH_BYTES = 32 * MIB;

/** The socket's window at first: what is on its way at once delays every message behind it. */
const FIRST_SOCKET_WINDOW_BYTES = MIB / 2;

/** Windows that last shorter grow on short paths as well: CREDIT costs more than such a delay, and a reader that keeps up holds nothing. */
const HARMLESS_DELAY_MS = 20;

export interface WindowSizes {
  windowBytes: number;
  maxWindowBytes: number;
  socketWindowBytes: number;
}

/** The windows of a socket: its own, and those of its streams. */
export class SocketWindows {
  readonly #sizes: WindowSizes;
  readonly #roundTripMs: () => number | undefined;
  readonly #budget = new GrowthBudget(GROWTH_BYTES);
  /** Of all streams together, for what is on its way. */
  readonly #socket: ReceiveWindow;

  constructor(sizes: WindowSizes, roundTripMs: () => number | undefined) {
    this.#sizes = sizes;
    this.#roundTripMs = roundTripMs;
    const maxBytes = sizes.socketWindowBytes;
    const initialBytes = Math.min(FIRST_SOCKET_WINDOW_BYTES, maxBytes);
    const budget = new GrowthBudget(maxBytes - initialBytes);
    this.#socket = new ReceiveWindow({
      ...{ initialBytes, maxBytes, budget, roundTripMs },
      shortestMs: HARMLESS_DELAY_MS,
    });
  }

  /** What HELLO tells the relay. */
  get initial(): { socketWindowBytes: number; streamWindowBytes: number } {
    return {
      socketWindowBytes: this.#socket.windowBytes,
      streamWindowBytes: this.#sizes.windowBytes,
    };
  }

  ofStream(): ReceiveWindow {
    const { windowBytes: initialBytes, maxWindowBytes: maxBytes } = this.#sizes;
    return new ReceiveWindow({
      ...{ initialBytes, maxBytes },
      ...{ budget: this.#budget, roundTripMs: this.#roundTripMs },
      shortestMs: HARMLESS_DELAY_MS,
    });
  }

  /** Counts DATA, and tells the credit to give for it now; undefined when the relay had none for it. */
  receive(bytes: number): number | undefined {
    return this.#socket.receive(bytes) ? this.#socket.consume(bytes) : undefined;
  }
}
