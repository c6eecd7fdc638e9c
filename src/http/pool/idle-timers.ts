import type { HttpConnection } from '../connection/http-connection.js';

interface IdleTimer {
  timer: ReturnType<typeof setTimeout>;
  firesMs: number;
  /** When the connection is ended, if no request comes. */
  endMs: number;
}

/** Ends connections that are idle for too long. A timer outlasts requests: only one that would come too late is set anew. */
export class IdleTimers {
  #end: (connection: HttpConnection) => void;
  #timers = new Map<HttpConnection, IdleTimer>();

  constructor(end: (connection: HttpConnection) => void) {
    this.#end = end;
  }

  /** The connection is idle from now on, until it has a request. */
  note(connection: HttpConnection, limitMs: number): void {
    const endMs = performance.now() + limitMs;
    const running = this.#timers.get(connection);
    if (running) running.endMs = endMs;
    if (!running || running.firesMs > endMs) this.#set(connection, endMs);
  }

  forget(connection: HttpConnection): void {
    clearTimeout(this.#timers.get(connection)?.timer);
    this.#timers.delete(connection);
  }

  #set(connection: HttpConnection, endMs: number): void {
    this.forget(connection);
    const timer = setTimeout(() => this.#fire(connection), endMs - performance.now());
    // In Node, a connection that nobody uses shall not keep the process alive.
    if (typeof timer === 'object') timer.unref();
    this.#timers.set(connection, { timer, firesMs: endMs, endMs });
  }

  #fire(connection: HttpConnection): void {
    const { endMs = 0 } = this.#timers.get(connection) ?? {};
    if (!connection.idle) this.#timers.delete(connection);
    else if (endMs > performance.now()) this.#set(connection, endMs);
    else this.#end(connection);
  }
}
