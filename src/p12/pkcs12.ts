import type { MtlsError } from '../errors.js';
import type { Certificate, Identity } from '../identity/types.js';

/** The contents of a PKCS#12 file. */
export interface Pkcs12 {
  /** An identity for each certificate whose private key is in the file, in the file's order. Empty: the file has no such key. */
  identities: Identity[];
  /** The certificates that are not in any identity's `chain`. */
  certificates: Certificate[];
  /** The keys, certificates and parts that cannot be used, if other keys of the file can. */
  unsupported: UnsupportedKey[];
}

/** A key, a certificate, or a whole part of a file (which has neither label nor keyId). */
export interface UnsupportedKey {
  /** The friendlyName. Absent: it has none. */
  label?: string;
  /** The localKeyId in lower-case hex. Absent: it has none. */
  keyId?: string;
  /**
   * Why it cannot be used: ERR_P12_KEY_PASSWORD if it has a separate password, ERR_P12_UNSUPPORTED with the algorithm or kind of key, or
   * ERR_P12_MALFORMED.
   */
  error: MtlsError;
}

/** What a PKCS#12 file shows without its password. Keys inside encrypted parts may cost more. */
export interface Pkcs12Inspection {
  /** What protects the file against changes. */
  integrity: 'MAC' | 'PBMAC1' | 'none';
  /** Iterations of key derivation in sum, as `limits.maxIterations` counts them. About five million take a second. */
  iterations: number;
  /** Bytes of memory for the most expensive derivation by scrypt; 0 without scrypt. */
  memoryBytes: number;
}
