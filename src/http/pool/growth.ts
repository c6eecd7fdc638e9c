/** A connection whose request began longer ago is not waited for. */
const PATIENCE_MS = 20;
/** Where answers take longer, the page is idle meanwhile, and can make connections. */
const LONG_MS = 8;
/** Otherwise most of it is the page's own time, of which a handshake takes 10 ms: so much has to be shared with another connection. */
const WORTH_MS = 100;
/** Where a handshake took longer, the server is far away: its first answer need not be waited for to know that. */
const FAR_MS = 20;
/** Bounds what a long answer counts: it says little of the others. */
const LONGEST_MS = 100;

/**
 * How many connections HTTP/1.1 needs for the requests that wait. Where a server answers at once, one connection serves many requests
 * sooner than others are made for them. Where an answer takes long, because of the distance or the server, all are needed.
 */
export class Growth {
  /** Since when each connection has had its request. */
  #begun = new Map<object, number>();
  /** How long a request usually has its connection. */
  #usualMs: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** A connection has been made: by a round trip, and about 10 ms of the page's time. */
  noteHandshake(handshakeMs: number): void {
    if (handshakeMs > FAR_MS) this.#usualMs ??= Math.min(handshakeMs / 2, LONGEST_MS);
  }

  /** A request has got the connection. */
  begin(connection: object): void {
    this.#begun.set(connection, performance.now());
  }

  /** The connection has no request any longer. */
  end(connection: object): void {
    const sinceMs = this.#begun.get(connection);
    if (sinceMs === undefined) return;
    this.#begun.delete(connection);
    const lastMs = Math.min(performance.now() - sinceMs, LONGEST_MS);
    this.#usualMs = this.#usualMs === undefined ? lastMs : 0.75 * this.#usualMs + 0.25 * lastMs;
  }

  /** Connections to make for so many requests, beside those that there are. */
  wanted(requests: number, connections: number): number {
    const nowMs = performance.now();
    let prompt = 0;
    for (const sinceMs of this.#begun.values()) if (nowMs - sinceMs < PATIENCE_MS) prompt++;
    const usualMs = this.#usualMs;
    // The first answer is about to tell.
    if (usualMs === undefined) return prompt > 0 ? 0 : requests;
    if (usualMs > LONG_MS || (prompt === 0 && connections > 0)) return requests;
    return Math.floor((requests * usualMs) / WORTH_MS / Math.max(prompt, 1)) + (connections === 0 ? 1 : 0);
  }

  /** Has it looked at again when those that are waited for have not answered. */
  later(look: () => void): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      look();
    }, PATIENCE_MS);
  }
}
