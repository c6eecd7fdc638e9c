import type { WebSocket } from 'ws';
import { tellAtOnce } from './synchronous-events.js';

/** Whether a page's WebSocket is read: not while there is a reason against it. What has been read then still comes, a message in a turn. */
export class ReadGate {
  readonly #webSocket: WebSocket;
  readonly #reasons = new Set<string>();
  #atOnce = false;

  constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
  }

  /** From now on all messages of a read may come in one turn. */
  tellAtOnce(): void {
    this.#atOnce = true;
    if (this.#reasons.size === 0) tellAtOnce(this.#webSocket, true);
  }

  close(reason: string): void {
    this.#reasons.add(reason);
    this.#webSocket.pause();
    tellAtOnce(this.#webSocket, false);
  }

  open(reason: string): void {
    if (!this.#reasons.delete(reason) || this.#reasons.size > 0) return;
    tellAtOnce(this.#webSocket, this.#atOnce);
    this.#webSocket.resume();
  }
}
