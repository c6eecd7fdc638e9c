import type { MtlsError, MtlsErrorCode } from '../errors.js';
import type { Certificate, Identity, StoredIdentity } from '../identity/types.js';

/** A server asks for a client certificate (RFC 8446 section 4.3.2). */
export interface ClientCertificateChallenge {
  /** Tells this kind of challenge from the other one. */
  method: 'client-certificate';
  /** The server's host as in URLs, but without brackets and the dot of the root. */
  host: string;
  /** The server's TCP port. */
  port: number;
  /** Names of the authorities that the server accepts, in the form of RFC 4514. Empty: the server names none. */
  acceptableIssuers: string[];
  /** The same names as the server sent them, DER. */
  acceptableIssuersDer: Uint8Array[];
  /**
   * The signature schemes that the server accepts, in its order: by the names of RFC 8446 section 4.2.3 (`ecdsa_secp256r1_sha256`), or
   * by the code point (`0x0708`) if this library has no name for it.
   */
  signatureSchemes: string[];
  /** The identities that fit: allowed for the host, valid now, and with a key and an authority that the server accepts. */
  candidates: StoredIdentity[];
  /** The other identities, each with the reason why it does not fit. */
  others: UnfitIdentity[];
  /**
   * Aborts when nobody waits for the answer any longer: all waiting requests, sockets and WebSockets were aborted or closed, or the client
   * was closed. Close the dialog then. A later answer still counts, for as long as its persistence says.
   */
  signal: AbortSignal;
}

/** An identity that is not shown by default. */
export interface UnfitIdentity {
  /** The identity that does not fit. */
  identity: StoredIdentity;
  /** The reason as a code: `ERR_IDENTITY_…` or `ERR_TLS_CERT_…`. */
  code: MtlsErrorCode;
  /** The reason as a clause, in English: `its certificate has expired`. */
  message: string;
  /** Whether the answer may still name this identity. */
  selectable: boolean;
}

/** A server has shown its certificate. Nothing about the client or its request has been sent yet. */
export interface ServerTrustChallenge {
  /** Tells this kind of challenge from the other one. */
  method: 'server-trust';
  /** The server's host as in URLs, but without brackets and the dot of the root. */
  host: string;
  /** The server's TCP port. */
  port: number;
  /** The server's certificates, its own first. Certificates that cannot be read are left out. */
  chain: Certificate[];
  /** Why verification failed (ERR_TLS_CERT_…, ERR_TLS_PIN). Absent: it passed. */
  error?: MtlsError;
  /** Aborts when nobody waits for the answer any longer, as in {@link ClientCertificateChallenge}. */
  signal: AbortSignal;
}

/** A question of a connection; `method` tells which. */
export type Challenge = ClientCertificateChallenge | ServerTrustChallenge;

/** The credential that answers a `client-certificate` challenge. */
export interface IdentityCredential {
  /** The identity to show: a candidate, a selectable one of `others`, or any other identity. */
  identity: Identity;
  /** Further certificates to send after the identity's chain. Default: none. */
  intermediates?: Certificate[];
  /**
   * How long the answer holds for this host and port. `permanent` needs an identity of the client's store, and counts as `session` for
   * any other. Default: `session`.
   */
  persistence?: Persistence;
}

/** The credential that answers a `server-trust` challenge: trust for this certificate with this result of verification. */
export interface TrustCredential {
  /** Trusts the server's certificate. It does not override pins (ERR_TLS_PIN). */
  trust: true;
  /**
   * How long the answer holds for this host and port. `permanent` needs a client with a store, and counts as `session` otherwise. Default:
   * `session`.
   */
  persistence?: Persistence;
}

/**
 * How long an answer holds.
 *
 * - `none`: for this connection, and for those that wait for the same answer.
 * - `session`: as long as the client lives.
 * - `permanent`: across reloads, kept in the store's database.
 *
 * An answer ends early by `MtlsClient.forget`, and when the stored identity is deleted or no longer allowed for the host.
 */
export type Persistence = 'none' | 'session' | 'permanent';

/** An answer to a challenge that is still valid. */
export interface RememberedAnswer {
  /** The kind of challenge that was answered. */
  method: Challenge['method'];
  /** `host:port`, as `MtlsClient.forget` takes it. */
  host: string;
  /** How long the answer holds. */
  persistence: 'session' | 'permanent';
  /** The identity that is shown to the host. Absent for `server-trust`, and after `reject`. */
  identity?: StoredIdentity;
  /** SHA-256 of the trusted certificate, lower-case hex. Absent for `client-certificate`. */
  fingerprint?: string;
}

/**
 * An answer to a challenge.
 *
 * - `use-credential`: show this identity, or trust this server.
 * - `default`: does the same as without a handler.
 * - `reject`: continues without a certificate, or does not trust the server (ERR_TLS_CERT_UNTRUSTED). It is remembered like `session`,
 *   until there is a new identity to choose.
 * - `cancel`: fails every request that waits for the answer with ERR_TLS_CHALLENGE_CANCELLED.
 */
export type Disposition =
  | {
      /** Shows the identity, or trusts the server. */
      disposition: 'use-credential';
      /** An identity for `client-certificate`, `{ trust: true }` for `server-trust`. */
      credential: IdentityCredential | TrustCredential;
    }
  | {
      /** What to do without a credential. */
      disposition: 'default' | 'cancel' | 'reject';
    };

/** Answers challenges, and may take any time. It is asked once for all connections that wait for the same answer. */
export type ChallengeHandler = (challenge: Challenge) => Promise<Disposition> | Disposition;
