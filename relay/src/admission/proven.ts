import type { SocketLimit } from '../../../src/tunnel/wire/codes.js';

export interface ProvenLimits {
  maxConnections: number;
  maxConnectionsPerAddress: number;
  /** Undefined: 64 for the subject of a JWT, and no limit for a token that many pages share. */
  maxConnectionsPerSubject: number | undefined;
}

/** Who a WebSocket counts for. */
export interface Holder {
  key: string;
  subject: string | undefined;
  /** The subject is one that many people share. */
  shared: boolean;
}

const USUAL_PER_SUBJECT = 64;

/** The budget of WebSockets whose HELLO was accepted. */
export class ProvenBudget {
  readonly #limits: ProvenLimits;
  readonly #byAddress = new Map<string, number>();
  readonly #bySubject = new Map<string, number>();
  #size = 0;

  constructor(limits: ProvenLimits) {
    this.#limits = limits;
  }

  /** Counts one more, or tells the limit that forbids it. */
  enter(holder: Holder): SocketLimit | undefined {
    const limit = this.#limitReached(holder);
    if (!limit) this.#count(holder, 1);
    return limit;
  }

  leave(holder: Holder): void {
    this.#count(holder, -1);
  }

  #limitReached({ key, subject, shared }: Holder): SocketLimit | undefined {
    const { maxConnections, maxConnectionsPerAddress, maxConnectionsPerSubject } = this.#limits;
    if (this.#size >= maxConnections) return 'connections';
    if ((this.#byAddress.get(key) ?? 0) >= maxConnectionsPerAddress) return 'connections-per-address';
    if (subject === undefined) return undefined;
    const perSubject = maxConnectionsPerSubject ?? (shared ? maxConnections : USUAL_PER_SUBJECT);
    return (this.#bySubject.get(subject) ?? 0) >= perSubject ? 'connections-per-subject' : undefined;
  }

  #count({ key, subject }: Holder, change: number): void {
    this.#size += change;
    countIn(this.#byAddress, key, change);
    if (subject !== undefined) countIn(this.#bySubject, subject, change);
  }
}

function countIn(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
