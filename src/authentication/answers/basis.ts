import type { StoredIdentity } from '../../identity/types.js';
import type { CertificateRequest } from '../../tls/types.js';
import type { Choice } from '../choice/choice.js';
import type { KnownIdentities } from '../choice/known-identities.js';
import type { SeenServer } from './server-verdict.js';

/** The grounds on which a connection was made, and with it the sessions that it leaves. */
export interface Basis {
  /** A verified server's request for a certificate, and the choice that answered it; undefined: it asked for none. */
  shown: { request: CertificateRequest; choice: Choice } | undefined;
  /** Why the server got no certificate although it asked for one, for people. */
  absence: string | undefined;
  /** The identity of a store that the server was shown. */
  presented: StoredIdentity | undefined;
  /** The server, where an answer that is stored for good has it trusted. */
  trusted: SeenServer | undefined;
  /** `Identities.revision` and that of the store of `presented`, when the choice was last known to hold. */
  revision: number;
  /** The time of the next review at the latest, in milliseconds: the validity of an identity begins or ends. */
  untilMs: number;
  /** A new connection would be made on other grounds, or the server has refused this one. */
  over: boolean;
}

export function newBasis({ revision, untilMs }: KnownIdentities): Basis {
  return {
    shown: undefined,
    absence: undefined,
    presented: undefined,
    trusted: undefined,
    revision,
    untilMs,
    over: false,
  };
}
