import type { KeyTarget } from '../identity/key-access.js';
import type { Certificate, StoredIdentity } from '../identity/types.js';
import { Slot } from './slot.js';

/** Whom to show, or why nobody. */
export type Choice =
  | {
      identity: StoredIdentity;
      /** Certificates to send after the identity's chain. */
      intermediates?: readonly Certificate[];
      /** Only for the connections that were waiting for it: no session made with it is resumed. */
      once?: boolean;
      /** Of a stored identity that the handler chose: whether its `hosts` allowed it there. */
      wasAllowed?: boolean;
    }
  | { absence: string };

export interface Verdict {
  trust: 'as-verified' | 'trust';
  once?: boolean;
}

/** What was answered about one host and port. */
export class HostAnswers {
  readonly target: KeyTarget;
  readonly choice = new Slot<Choice>();
  /** By the server's certificate and what verification said of it. */
  readonly verdicts = new Map<string, { fingerprint: string; slot: Slot<Verdict> }>();
  /** How often it was forgotten: connections made by answers of before are not used any more. */
  epoch = 0;

  constructor(target: KeyTarget) {
    this.target = target;
  }

  /** A question that is still being answered is none of it. */
  forget(): void {
    this.epoch++;
    this.choice.forget();
    for (const { slot } of this.verdicts.values()) slot.forget();
  }

  verdict(fingerprint: string, code: string | undefined): Slot<Verdict> {
    const key = JSON.stringify([fingerprint, code]);
    const known = this.verdicts.get(key) ?? { fingerprint, slot: new Slot<Verdict>() };
    this.verdicts.set(key, known);
    return known.slot;
  }
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostKey({ hostname, port }: KeyTarget): string {
  return hostname.includes(':') && !hostname.startsWith('[')
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
}
