import type { StoredIdentity } from '../identity/types.js';
import type { CertificateRequest } from '../tls/types.js';
import type { SeenServer } from './answer-store.js';
import type { Choice, HostAnswers } from './host-answers.js';
import type { KnownIdentities } from './known-identities.js';

/** The grounds on which a connection was made, and with it the sessions that it leaves. */
export interface Basis {
  answers: HostAnswers;
  /** A verified server's request for a certificate, and the choice that answered it; undefined: it asked for none. */
  shown: { request: CertificateRequest; choice: Choice } | undefined;
  /** Why the server got no certificate although it asked for one, for people. */
  absence: string | undefined;
  /** The identity of a store that the server was shown. */
  presented: StoredIdentity | undefined;
  /** The server, where an answer that is kept for good has it trusted. */
  trusted: SeenServer | undefined;
  /** `Identities.revision` and that of the store of `presented`, when the choice was last known to hold. */
  revision: number;
  /** The time of the next review at the latest, in milliseconds: the validity of an identity begins or ends. */
  untilMs: number;
  /** A new connection would be made on other grounds, or the server has refused this one. */
  over: boolean;
}

export function newBasis(answers: HostAnswers, { revision, untilMs }: KnownIdentities): Basis {
  return {
    answers,
    shown: undefined,
    absence: undefined,
    presented: undefined,
    trusted: undefined,
    revision,
    untilMs,
    over: false,
  };
}
