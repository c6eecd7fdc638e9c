import type { StoredIdentity } from '../identity/types.js';
import type { CertificateRequest } from '../tls/types.js';
import type { SeenServer } from './answer-store.js';
import type { Choice, HostAnswers } from './host-answers.js';
import type { KnownIdentities } from './known-identities.js';

/** What a connection, and the sessions that it leaves, were made by. */
export interface Basis {
  answers: HostAnswers;
  /** The request of a verified server for a certificate, and the choice; undefined: it asked for none. */
  shown: { request: CertificateRequest; choice: Choice } | undefined;
  /** Why the server got no certificate although it asked for one, for people. */
  absence: string | undefined;
  /** The identity of a store that the server was shown. */
  presented: StoredIdentity | undefined;
  /** The server, where an answer that is kept for good has it trusted. */
  trusted: SeenServer | undefined;
  /** Of what the choice follows from, when the choice was last known to hold. */
  revision: number;
  /** From then on, in milliseconds, it is to be looked at again, because the validity of an identity begins or ends. */
  untilMs: number;
  /** No longer what a new connection would be made by, or refused by the server. */
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
