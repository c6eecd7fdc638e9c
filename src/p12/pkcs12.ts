import type { MtlsError } from '../errors.js';
import type { Certificate, Identity } from '../identity/types.js';

/** What a PKCS#12 file holds. */
export interface Pkcs12 {
  /** Keys with their certificates, in the file's order. Empty when the file has no key that belongs to a certificate. */
  identities: Identity[];
  /** The certificates that are in no identity's chain. */
  certificates: Certificate[];
  /** Keys, certificates and parts that cannot be used, where the file has others that can. */
  unsupported: UnsupportedKey[];
}

/** A key, a certificate, or a whole part of a file (which has neither label nor keyId). */
export interface UnsupportedKey {
  label?: string;
  /** The PKCS#12 localKeyId, lower-case hex. */
  keyId?: string;
  /**
   * ERR_P12_KEY_PASSWORD when it has a password of its own; ERR_P12_UNSUPPORTED, naming the algorithm or kind of key;
   * ERR_P12_MALFORMED.
   */
  error: MtlsError;
}

/** What a PKCS#12 file shows on its outside. What is inside of encrypted parts may ask for more. */
export interface Pkcs12Inspection {
  integrity: 'MAC' | 'PBMAC1' | 'none';
  /** Of key derivation in sum, as `limits.maxIterations` counts them. A second is enough for some five million. */
  iterations: number;
  /** That the most expensive derivation takes: of scrypt, otherwise 0. */
  memoryBytes: number;
}
