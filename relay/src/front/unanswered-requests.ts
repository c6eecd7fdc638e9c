import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';

/** Which connections of a shared server have requests that are not answered yet; others answer them. */
export class UnansweredRequests {
  readonly #server: HttpServer | HttpsServer;
  readonly #counts = new WeakMap<object, number>();

  constructor(server: HttpServer | HttpsServer) {
    this.#server = server;
    server.on('request', this.#onRequest);
  }

  has(socket: object): boolean {
    return (this.#counts.get(socket) ?? 0) > 0;
  }

  close(): void {
    this.#server.off('request', this.#onRequest);
  }

  readonly #onRequest = ({ socket }: IncomingMessage, response: ServerResponse) => {
    this.#add(socket, 1);
    response.once('close', () => this.#add(socket, -1));
  };

  #add(socket: object, change: number): void {
    this.#counts.set(socket, (this.#counts.get(socket) ?? 0) + change);
  }
}
