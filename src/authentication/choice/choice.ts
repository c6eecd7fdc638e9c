import type { Certificate, StoredIdentity } from '../../identity/types.js';

/** Which identity to show, or why none. */
export type Choice = ChosenIdentity | NoIdentity;

export interface ChosenIdentity {
  identity: StoredIdentity;
  /** Certificates to send after the identity's chain. */
  intermediates?: readonly Certificate[];
  /** Only for the connections that were waiting for it: no session made with it is resumed. */
  once?: boolean;
  /** For a stored identity that the handler chose: whether its `hosts` allowed it there. */
  wasAllowed?: boolean;
  asked?: Asked;
}

export interface NoIdentity {
  /** The reason, for people. */
  absence: string;
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
