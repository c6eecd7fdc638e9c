import type { MtlsError, MtlsErrorCode } from '../errors.js';
import type { Certificate, Identity, StoredIdentity } from '../identity/types.js';

/** A server asks for a client certificate (RFC 8446 section 4.3.2). */
export interface ClientCertificateChallenge {
  method: 'client-certificate';
  host: string;
  port: number;
  /** Names of the authorities that the server accepts, RFC 4514; empty: it names none. */
  acceptableIssuers: string[];
  /** The same names as the server sent them, DER. */
  acceptableIssuersDer: Uint8Array[];
  /**
   * What the server accepts signatures by, in its order: the names of RFC 8446 section 4.2.3 (`ecdsa_secp256r1_sha256`), or the
   * code point (`0x0708`) of one that has no name here.
   */
  signatureSchemes: string[];
  /** The identities that fit: allowed for the host, valid now, and issued and signing in ways that the server accepts. */
  candidates: StoredIdentity[];
  /** The other ones, and why each does not fit. */
  others: UnfitIdentity[];
  /**
   * Aborts when nobody waits for the answer any more: each request, socket and WebSocket that did has been aborted or closed, or
   * the client has been. A dialog may close then; an answer that comes all the same holds as ever.
   */
  signal: AbortSignal;
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
  /** The server's own certificate first. Others that cannot be read are left out. */
  chain: Certificate[];
  /** Why verification failed; absent when it passed. */
  error?: MtlsError;
  /** As in `ClientCertificateChallenge`. */
  signal: AbortSignal;
}

/** A question of a connection; `method` tells which. */
export type Challenge = ClientCertificateChallenge | ServerTrustChallenge;

/** What a client certificate challenge may be answered with. */
export interface IdentityCredential {
  identity: Identity;
  /** Certificates to send after the identity's chain. */
  intermediates?: Certificate[];
  /**
   * How long the answer holds for this host and port. `permanent` needs an identity of the client's store, and is `session`
   * for any other. Default: `session`.
   */
  persistence?: Persistence;
}

/** What an untrusted server may be trusted by: this certificate, with what verification said about it this time. */
export interface TrustCredential {
  trust: true;
  /** As in `IdentityCredential`; `permanent` needs a client with a store, and is `session` for any other. */
  persistence?: Persistence;
}

/**
 * How long an answer holds.
 *
 * - `none`: for the one connection, and for all that were waiting for the same answer.
 * - `session`: as long as the client lives.
 * - `permanent`: across reloads, kept in the store's database.
 *
 * Each ends sooner by `MtlsClient.forget`, and when a stored identity is deleted or deprived of the host.
 */
export type Persistence = 'none' | 'session' | 'permanent';

/** An answer that holds. */
export interface RememberedAnswer {
  method: Challenge['method'];
  /** `host:port`, as `MtlsClient.forget` takes it. */
  host: string;
  persistence: 'session' | 'permanent';
  /** What is shown to the host; absent for a server, and where none is shown (`reject`). */
  identity?: StoredIdentity;
  /** SHA-256 of the server's certificate, lower-case hex; absent for a client certificate. */
  fingerprint?: string;
}

/**
 * An answer to a challenge.
 *
 * - `use-credential`: show this identity, or trust this server.
 * - `default`: what happens without a handler.
 * - `reject`: go on without a certificate, which holds like `session`, until there is an identity to choose that there was not; do
 *   not trust the server.
 * - `cancel`: fail every request that waits for the answer with `ERR_TLS_CHALLENGE_CANCELLED`.
 */
export type Disposition =
  | { disposition: 'use-credential'; credential: IdentityCredential | TrustCredential }
  | { disposition: 'default' | 'cancel' | 'reject' };

/** Answers challenges, in its own time; it is asked once for all connections that wait for the same answer. */
export type ChallengeHandler = (challenge: Challenge) => Promise<Disposition> | Disposition;
