import type { WebSocket } from 'ws';

/** Whether a page's WebSocket is read: not while there is a reason against it. */
export class ReadGate {
  readonly #webSocket: WebSocket;
  readonly #reasons = new Set<string>();

  constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
  }

  close(reason: string): void {
    this.#reasons.add(reason);
    this.#webSocket.pause();
  }

  open(reason: string): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#webSocket.resume();
  }
}
