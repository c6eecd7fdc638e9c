import type { TargetRule } from '../policy/target-rule.js';
import { findToken, type KnownToken } from './tokens.js';

/** What a page shows when it asks for admission. */
export interface Credentials {
  /** Empty when the page sent none. */
  token: string;
  origin: string | undefined;
}

/** A page that may use the relay, within what its token narrows. */
export interface Admitted {
  /** The token's name or the JWT's `sub`; undefined where no token is asked for. */
  subject?: string | undefined;
  /** Many people share the subject, as with a static token. */
  shared: boolean;
  /** When the token expires and the WebSocket is to end, in milliseconds since 1970. */
  expiresAt?: number | undefined;
  /** One of these must allow the target, besides one of the relay's own. */
  targets?: TargetRule[] | undefined;
  maxStreams?: number | undefined;
  bytesPerSecond?: number | undefined;
}

export interface Refused {
  /** `wrong` counts as a guess; `claim`: a claim of a genuine token; `unavailable`: the relay cannot check tokens now. */
  refused: 'missing' | 'wrong' | 'claim' | 'expired' | 'origin' | 'unavailable';
  /** For the WebSocket's close; default empty. */
  reason?: string;
}

/** One way of telling whether a token is good: `undefined` when the token is of another kind. */
export type Admit = (credentials: Credentials) => Promise<Admitted | Refused | undefined>;

/** Admits by the first way that knows the token; without any way, everybody. */
export async function admit(credentials: Credentials, ways: Admit[]): Promise<Admitted | Refused> {
  if (ways.length === 0) return { shared: true };
  if (credentials.token === '') return { refused: 'missing' };
  for (const way of ways) {
    const verdict = await way(credentials);
    if (verdict) return verdict;
  }
  return { refused: 'wrong' };
}

/** Admits by a list of tokens. */
export function byTokens(tokens: KnownToken[]): Admit {
  return async ({ token }) => {
    const known = findToken(token, tokens);
    return known && { subject: known.name, shared: true };
  };
}
