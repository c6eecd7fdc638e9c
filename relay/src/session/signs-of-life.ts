import type { WebSocket } from 'ws';

const MAX_MISSED = 2;

/** Ends WebSockets that no longer answer pings. */
export class SignsOfLife {
  readonly #webSockets: () => Iterable<WebSocket>;
  #timer: NodeJS.Timeout | undefined;
  /** Pings in a row that had no answer. */
  readonly #missed = new WeakMap<WebSocket, number>();

  constructor(webSockets: () => Iterable<WebSocket>) {
    this.#webSockets = webSockets;
  }

  /** 0: nobody is pinged. */
  start(intervalMs: number): void {
    if (intervalMs > 0) this.#timer = setInterval(() => this.#ping(), intervalMs).unref();
  }

  /** Behind a slow upload an answer to a ping may come late: messages count as well. */
  watch(webSocket: WebSocket): void {
    const alive = () => this.#missed.set(webSocket, 0);
    webSocket.on('message', alive);
    webSocket.on('pong', alive);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #ping(): void {
    for (const webSocket of this.#webSockets()) {
      const missed = this.#missed.get(webSocket) ?? 0;
      if (missed >= MAX_MISSED) {
        webSocket.terminate();
        continue;
      }
      this.#missed.set(webSocket, missed + 1);
      // It may end while it is pinged.
      if (webSocket.readyState === webSocket.OPEN) webSocket.ping(() => {});
    }
  }
}
