import type { MtlsError, MtlsErrorCode } from '../errors.js';
import type { Certificate, Identity, StoredIdentity } from '../identity/types.js';

/** A server asks for a client certificate (RFC 8446 section 4.3.2). */
export interface ClientCertificateChallenge {
  method: 'client-certificate';
  host: string;
  port: number;
  /** Names of the authorities that the server accepts, RFC 4514; empty: it names none. */
  acceptableIssuers: string[];
  /** The identities that fit: allowed for the host, valid now, and issued and signing in ways that the server accepts. */
  candidates: StoredIdentity[];
  /** The other ones, and why each does not fit. */
  others: UnfitIdentity[];
}

/** An identity that is not shown by default. */
export interface UnfitIdentity {
  identity: StoredIdentity;
  /** `ERR_IDENTITY_…` or `ERR_TLS_CERT_…`. */
  code: MtlsErrorCode;
  /** The reason as a clause, in English: `its certificate has expired`. */
  message: string;
  /** Whether the answer may name it all the same. */
  selectable: boolean;
}

/** A server has shown its certificate, and nothing has been sent to it yet. */
export interface ServerTrustChallenge {
  method: 'server-trust';
  host: string;
  port: number;
  /** The server's own certificate first. */
  chain: Certificate[];
  /** Why verification failed; absent when it passed. */
  error?: MtlsError;
}

export type Challenge = ClientCertificateChallenge | ServerTrustChallenge;

/** What a client certificate challenge may be answered with. */
export interface IdentityCredential {
  identity: Identity;
  /** Certificates to send after the identity's chain. */
  intermediates?: Certificate[];
  /**
   * How long the answer holds for this host and port: `none`, for this connection; `session`, the default, as long as
   * the client lives, and a stored identity is neither deleted nor deprived of the host.
   */
  persistence?: 'none' | 'session';
}

/**
 * An answer to a challenge.
 *
 * - `use-credential`: show this identity, or trust this server.
 * - `default`: what happens without a handler.
 * - `reject`: show no certificate; do not trust the server.
 * - `cancel`: give the connection up with `ERR_TLS_CHALLENGE_CANCELLED`.
 */
export type Disposition =
  | { disposition: 'use-credential'; credential: IdentityCredential | { trust: true } }
  | { disposition: 'default' | 'cancel' | 'reject' };

/** Answers challenges, in its own time; it is asked once for all connections that wait for the same answer. */
export type ChallengeHandler = (challenge: Challenge) => Promise<Disposition> | Disposition;
