import type { CertificateFailureCode } from '../engine/trust.js';

/**
 * An X.509 certificate (RFC 5280), read. All dates and names are as the certificate states them: nothing is verified here.
 *
 * A part that cannot be read does not stand in the way of the others. It shows as its octets in hex after a `#`
 * (`O=Engines,#0c0161`, `otherName:#a007…`), an algorithm as an empty text. With a time that cannot be read the certificate is valid
 * at no time: `notBefore` is then the last one that a Date holds, or `notAfter` the first one.
 */
export interface Certificate {
  /** The certificate's DER bytes. */
  der: Uint8Array;
  /** The same as a PEM block, with a final newline. */
  pem: string;
  /** Subject and issuer in the string form of RFC 4514, e.g. `CN=Ada,O=Analytical Engines`. */
  subject: string;
  issuer: string;
  /** Lower-case hex without separators. */
  serialNumber: string;
  notBefore: Date;
  notAfter: Date;
  /** Alternative names with their kind, e.g. `DNS:example.com`, `IP:127.0.0.1`, `email:ada@example.com`, `URI:spiffe://a/b`. */
  subjectAltNames: string[];
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: string;
  /** SHA-256 of the SubjectPublicKeyInfo, base64 (the form of RFC 7469). */
  spkiPin: string;
  /** For people: `RSA-2048`, `ECDSA P-256`, `Ed25519`, or the algorithm's OID. */
  keyAlgorithm: string;
}

/** What evaluating a chain found. `code` and `message` are set when `trusted` is false. */
export interface TrustResult {
  trusted: boolean;
  code?: CertificateFailureCode;
  /** What is wrong with which certificate, for people. */
  message?: string;
  chain: Certificate[];
}

/** A client certificate with the private key that belongs to it. */
export interface Identity {
  label?: string;
  /** The PKCS#12 localKeyId, lower-case hex. */
  keyId?: string;
  certificate: Certificate;
  /** `certificate` first, then its issuers as far as they are known. Of several chains the best: good now, then complete. */
  chain: Certificate[];
  /**
   * Further chains of the same certificate, where an authority above it has several certificates (cross-signed, renewed): the one
   * that fits what a server accepts is shown to it. Absent: there is no other.
   */
  otherChains?: Certificate[][];
  /**
   * The private key as non-extractable CryptoKeys: one for ECDSA, one per scheme and hash for RSA. Empty for a stored
   * identity with `userVerification: 'required'`. A script that gets hold of them can use them and pass them on, also to pages of other
   * origins in this browser, and cannot read their bytes.
   */
  keys: CryptoKey[];
  /** Whether `chain` is complete, valid at the time of import, and fit for client authentication. */
  trust: TrustResult;
}

/** What the keychain is to do with an identity. */
export interface IdentityControls {
  /** Defaults to the file's friendlyName. */
  label?: string;
  /**
   * Where the identity may be sent: `host`, `host:port`, `*.example.com`, `*.example.com:8443`. A pattern without a
   * port allows every port. Without any pattern the identity is never sent unless a challenge handler names it.
   */
  hosts?: string[];
  /** `session`: gone when the last tab of this origin closes. Default: `permanent`. */
  persistence?: 'permanent' | 'session';
  /** From this time on the identity is not used any more (`ERR_IDENTITY_EXPIRED`). Default: never. */
  expiresAt?: Date;
  /**
   * After so many milliseconds without use the identity is locked (`ERR_IDENTITY_LOCKED`) until `IdentityStore.unlock`.
   * Default: never.
   */
  idleTimeoutMs?: number;
  /**
   * `required`: the private key is stored only wrapped, and is unwrapped for use after the person confirmed. This protects it from
   * whoever copies the disk, and from other people at the device; not from a script of the page's origin that is there when the person
   * confirms, which can have it in clear (`docs/security.md`). Set when the identity is added; it cannot be changed later. Default:
   * `none`.
   */
  userVerification?: 'none' | 'required';
}

/** An identity of a list. */
export interface ListedIdentity extends Identity {
  /**
   * `hosts`: where it may be sent, as in a store. Default: to the origins that the page itself asks the client for, and to none that
   * a redirect leads to. One that is in a store has the controls of the store.
   */
  controls?: Pick<IdentityControls, 'hosts'>;
}

/** An identity as the store gives it back. */
export interface StoredIdentity extends Identity {
  id: string;
  controls: IdentityControls;
  createdAt: Date;
  lastUsedAt?: Date;
  /** Whether `IdentityStore.unlock` (or the person's confirmation at the next use) comes before its use. */
  locked: boolean;
}
