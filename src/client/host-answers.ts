import type { KeyTarget } from '../identity/key-access.js';
import type { Certificate, StoredIdentity } from '../identity/types.js';
import type { SeenServer } from './answer-store.js';
import type { Basis } from './basis.js';
import type { KnownIdentities } from './known-identities.js';
import { SharedAnswer } from './shared-answer.js';

/** Whom to show, or why nobody. */
export type Choice = Shown | { absence: string; asked?: Asked };

export interface Shown {
  identity: StoredIdentity;
  /** Certificates to send after the identity's chain. */
  intermediates?: readonly Certificate[];
  /** Only for the connections that were waiting for it: no session made with it is resumed. */
  once?: boolean;
  /** Of a stored identity that the handler chose: whether its `hosts` allowed it there. */
  wasAllowed?: boolean;
  asked?: Asked;
}

/** The question behind a rejection, or behind a choice that a new connection would ask for again. */
export interface Asked {
  /** The ids of the identities that it could have named. */
  offered: readonly string[];
  /** Whether it left the choice to what happens without a handler. */
  byDefault?: boolean;
}

export function isSameChoice(one: Choice, other: Choice): boolean {
  if ('absence' in one || 'absence' in other) return 'absence' in one && 'absence' in other;
  const [a, b] = [one.identity, other.identity];
  return a.id === b.id && a.certificate.fingerprint === b.certificate.fingerprint;
}

export interface Verdict {
  trust: 'as-verified' | 'trust';
  once?: boolean;
  /** The server, where it is trusted by an answer that is kept for good. */
  kept?: SeenServer;
}

/** What was answered about one host and port. */
export class HostAnswers {
  readonly target: KeyTarget;
  readonly choice = new SharedAnswer<Choice>();
  /** By the server's certificate and what verification said of it. */
  readonly verdicts = new Map<string, { fingerprint: string; slot: SharedAnswer<Verdict> }>();
  /** How often it was forgotten: connections made by answers of before are not used any more. */
  epoch = 0;
  /** Whether the page itself has asked for this host: by `fetch`, `WebSocket` or `connect`, and not by a redirect. */
  asked = false;
  /** Sessions of an earlier generation are not resumed. */
  #generation = 0;
  /** By partition: what its sessions were made by. */
  #sessions = new Map<string, Basis>();

  constructor(target: KeyTarget) {
    this.target = target;
  }

  /** A question that is still being answered is none of it. */
  forget(): void {
    this.epoch++;
    this.choice.forget();
    for (const { slot } of this.verdicts.values()) slot.forget();
    this.endSessions();
  }

  /** Names the sessions that may be resumed: a session carries the identity and the trust it was made with. */
  partition({ allowed, kept }: KnownIdentities): string {
    const { hostname, port } = this.target;
    return JSON.stringify([hostname, port, allowed.map(it => it.id).sort(), kept, this.#generation]);
  }

  /** The grounds of a partition's sessions; undefined: the server asked for nothing. */
  sessions(partition: string): Basis | undefined {
    return this.#sessions.get(partition);
  }

  noteSession(partition: string, basis: Basis): void {
    this.#sessions.set(partition, basis);
  }

  /** No session that has been made so far is resumed any more. */
  endSessions(): void {
    this.#generation++;
    this.#sessions.clear();
  }

  verdict(fingerprint: string, code: string | undefined): SharedAnswer<Verdict> {
    const key = JSON.stringify([fingerprint, code]);
    const known = this.verdicts.get(key) ?? { fingerprint, slot: new SharedAnswer<Verdict>() };
    this.verdicts.set(key, known);
    return known.slot;
  }
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostKey({ hostname, port }: KeyTarget): string {
  return hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
