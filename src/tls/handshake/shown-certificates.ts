import type { GivenAnswer } from '../../engine/transaction.js';

/** Servers that are remembered. */
const MAX_SERVERS = 64;

/** Which certificates servers were shown last, each with the server's request. */
export class ShownCertificates {
  #byServer = new Map<string, GivenAnswer>();

  to(hostname: string): GivenAnswer | undefined {
    return this.#byServer.get(hostname);
  }

  note(hostname: string, shown: GivenAnswer): void {
    this.#byServer.delete(hostname);
    this.#byServer.set(hostname, shown);
    const [oldest] = this.#byServer.keys();
    if (this.#byServer.size > MAX_SERVERS && oldest !== undefined) this.#byServer.delete(oldest);
  }
}
