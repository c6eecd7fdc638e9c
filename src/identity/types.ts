import type { CertificateFailureCode } from '../engine/trust.js';

/**
 * The contents of an X.509 certificate (RFC 5280). Nothing is verified.
 *
 * An unreadable value is shown as its octets in hex after a `#` (`O=Engines,#0c0161`, `otherName:#a007…`), an unreadable algorithm as an
 * empty text. A certificate with an unreadable time is never valid: `notBefore` is then the last time that a Date holds, or `notAfter` the
 * first one.
 */
export interface Certificate {
  /** The certificate's DER bytes. */
  der: Uint8Array;
  /** The certificate as a PEM block, with a final newline. */
  pem: string;
  /** The subject in the form of RFC 4514, e.g. `CN=Ada,O=Analytical Engines`. */
  subject: string;
  /** The issuer in the form of RFC 4514. */
  issuer: string;
  /** The serial number in lower-case hex, without separators. */
  serialNumber: string;
  /** The certificate is valid from this time on. */
  notBefore: Date;
  /** The certificate is valid up to this time. */
  notAfter: Date;
  /** The alternative names with their kind, e.g. `DNS:example.com`, `IP:127.0.0.1`, `email:ada@example.com`, `URI:spiffe://a/b`. */
  subjectAltNames: string[];
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: string;
  /** SHA-256 of the SubjectPublicKeyInfo in base64, as pins have it (RFC 7469). */
  spkiPin: string;
  /** The kind of key, to show to people: `RSA-2048`, `ECDSA P-256`, `Ed25519`, or the algorithm's OID. */
  keyAlgorithm: string;
}

/** The result of the evaluation of a chain. */
export interface TrustResult {
  /** Whether all checks have passed. */
  trusted: boolean;
  /** Why the chain is not trusted: ERR_TLS_CERT_…, ERR_TLS_PIN or ERR_CERT_MALFORMED. Absent: it is trusted. */
  code?: CertificateFailureCode;
  /** The reason as a sentence; it names the certificate. Absent: the chain is trusted. */
  message?: string;
  /** The path that was found, the anchor last. Without a path: the certificates as far as they follow each other. */
  chain: Certificate[];
}

/** A client certificate with the private key that belongs to it. */
export interface Identity {
  /** A name to show to people: the file's friendlyName, or the label of the enrolment. Absent: it has none. */
  label?: string;
  /** The file's localKeyId in lower-case hex. Absent: it has none. */
  keyId?: string;
  /** The certificate of the identity itself. */
  certificate: Certificate;
  /**
   * `certificate` first, then its issuers as far as they are known. Of several chains, the best one: trusted, then valid now, then
   * complete.
   */
  chain: Certificate[];
  /**
   * Further chains of the same certificate, if an authority has several certificates (cross-signed, renewed). Each server is shown a chain
   * that it accepts. Absent: there are none.
   */
  otherChains?: Certificate[][];
  /**
   * The private key as non-extractable CryptoKeys: one for ECDSA and Ed25519, one per scheme and hash for RSA. Empty for a stored identity
   * with `userVerification: 'required'`. A script that gets these objects can use them and pass them on, but cannot read their bytes.
   */
  keys: CryptoKey[];
  /** Whether `chain` is complete, valid at the time of import, and fit for client authentication. */
  trust: TrustResult;
}

/** The rules of the keychain for an identity (`docs/keychain.md`). */
export interface IdentityControls {
  /** A name to show to people. Default: the identity's own label. */
  label?: string;
  /**
   * Where the identity may be sent: `host`, `host:port`, `*.example.com` (one label), `*.example.com:8443`, `[::1]:443`. A pattern without a
   * port allows every port. Elsewhere: ERR_IDENTITY_NOT_ALLOWED. Default: only where a challenge handler names the identity.
   */
  hosts?: string[];
  /** With `session` the identity ends with the last tab of the origin. Default: `permanent`. */
  persistence?: 'permanent' | 'session';
  /** From this time on the identity is not used (ERR_IDENTITY_EXPIRED). Default: never. */
  expiresAt?: Date;
  /**
   * The identity is locked after this time without a handshake or request, in milliseconds, until `IdentityStore.unlock`
   * (ERR_IDENTITY_LOCKED). Default: never.
   */
  idleTimeoutMs?: number;
  /**
   * With `required` the private key is stored only wrapped, and its use asks the person. This protects it from anyone who copies the disk, and
   * from other people at the device, but not from a script of the page's origin that runs when the person confirms (`docs/security.md`). It
   * cannot be changed later (ERR_IDENTITY_NO_SEALED_COPY). Default: `none`.
   */
  userVerification?: 'none' | 'required';
}

/** An identity in a list. */
export interface ListedIdentity extends Identity {
  /**
   * `hosts` says where it may be sent, as in a store. Default: to the origins that the page itself asks for, and to none to which only a
   * redirect leads. If the identity is in a store, its controls in the store count.
   */
  controls?: Pick<IdentityControls, 'hosts'>;
}

/** An identity in a store. */
export interface StoredIdentity extends Identity {
  /** A UUID, by which the store finds the identity. */
  id: string;
  /** The rules of the keychain for the identity. */
  controls: IdentityControls;
  /** When the identity was added. */
  createdAt: Date;
  /** When the identity was last used for a handshake or request. Absent: never. */
  lastUsedAt?: Date;
  /** Whether it must be unlocked before its use: by `IdentityStore.unlock`, or by the person at the next use. */
  locked: boolean;
}
