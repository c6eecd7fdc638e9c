import { checkedInteger, checkOptionNames } from '../../util/options.js';
/** Limits of the work and memory that a file may cost. Each is checked before the cost arises. From 1 on. */
export interface Pkcs12Limits {
  /** Bytes of the file (ERR_P12_MALFORMED). Default: 10,485,760. */
  maxFileBytes: number;
  /**
   * Iterations of key derivation, summed over the MAC and all parts (ERR_P12_TOO_EXPENSIVE). scrypt counts as 2 · N · r · p. Default:
   * 8,000,000, a few seconds.
   */
  maxIterations: number;
  /** Bytes of memory for scrypt (ERR_P12_TOO_EXPENSIVE). Default: 268,435,456. */
  maxMemoryBytes: number;
  /** Parts of the file (ERR_P12_MALFORMED). Default: 1,000. */
  maxParts: number;
  /** Levels of SafeContents within SafeContents, 1 to 40 (ERR_P12_MALFORMED). Default: 8. */
  maxNesting: number;
  /** Bags in all parts of the file (ERR_P12_MALFORMED). Default: 2,000. */
  maxBags: number;
  /** Private keys (ERR_P12_MALFORMED). Default: 100. */
  maxKeys: number;
  /** Certificates (ERR_P12_MALFORMED). Default: 1,000. */
  maxCertificates: number;
  /** Bytes of each certificate. A larger one is in `unsupported`. Default: 131,072. */
  maxCertificateBytes: number;
  /**
   * Signatures to verify in all, of keys and certificates (ERR_P12_TOO_EXPENSIVE). Default: 3,000, a second or two.
   */
  maxSignatures: number;
}

const defaults: Pkcs12Limits = {
  maxFileBytes: 10 * 1024 * 1024,
  maxIterations: 8_000_000,
  maxMemoryBytes: 256 * 1024 * 1024,
  maxParts: 1_000,
  maxNesting: 8,
  maxBags: 2_000,
  maxKeys: 100,
  maxCertificates: 1_000,
  maxCertificateBytes: 128 * 1024,
  maxSignatures: 3_000,
};

/** More than any engine counts or allocates. */
const MAX_LIMIT = 0xffff_ffff;
/** The walk recurses. */
const MAX_NESTING = 40;

/**
 * @param maxIterations the option beside `limits`, which comes before that in it
 * @throws TypeError
 */
export function checkedLimits(given: Partial<Pkcs12Limits> = {}, maxIterations?: number): Pkcs12Limits {
  checkOptionNames(given, defaults, 'limits.');
  for (const [name, value] of Object.entries(given))
    checkedInteger(`limits.${name}`, value, { min: 1, max: name === 'maxNesting' ? MAX_NESTING : MAX_LIMIT });
  const limits = { ...defaults, ...given };
  if (maxIterations !== undefined)
    limits.maxIterations = checkedInteger('maxIterations', maxIterations, { min: 1, max: MAX_LIMIT });
  return limits;
}
