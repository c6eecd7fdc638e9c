import type { StoredIdentity } from '../../identity/types.js';
import type { ChosenIdentity } from './choice.js';

/** The identities that one connection to a target may show. */
export interface KnownIdentities {
  all: StoredIdentity[];
  /** Those that may be shown to the target without a handler naming them. */
  allowed: StoredIdentity[];
  /** Whether identities without `hosts` are left out because the page has not asked for this host itself. */
  redirected: boolean;
  /** Names the answers for the target that are stored for good. */
  answerKeys: readonly string[];
  /** Read before everything else here. */
  revision: number;
  /** When the validity of one of them begins or ends next, in milliseconds. */
  untilMs: number;
}

/** A stored identity that a handler chose, as it is now; undefined: it is gone, or has lost its permission for the target. */
export function currentIn(
  { all, allowed }: KnownIdentities,
  { identity, wasAllowed }: ChosenIdentity,
): StoredIdentity | undefined {
  return (wasAllowed ? allowed : all).find(({ id }) => id === identity.id);
}
