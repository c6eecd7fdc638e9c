import { checkedInteger, checkOptionNames } from '../../util/options.js';
/** What a hostile file may make an import do at most. Each is checked before the work or the memory is spent. */
export interface Pkcs12Limits {
  /** Of the file. Default: 10,485,760 (10 MiB). */
  maxFileBytes: number;
  /**
   * Iterations of key derivation, summed over the MAC and all parts; a derivation by scrypt counts as twice the product of its
   * three parameters. Default: 8,000,000 (a few seconds): GnuTLS asks for 600,000 for the MAC, the key and each certificate.
   */
  maxIterations: number;
  /** Of scrypt. Default: 268,435,456 (256 MiB). */
  maxMemoryBytes: number;
  /** Parts of the file, each with its bags. Default: 1,000. */
  maxParts: number;
  /** SafeContents within SafeContents. Default: 8. */
  maxNesting: number;
  /** In all parts of the file. Default: 2,000. */
  maxBags: number;
  /** Default: 100. */
  maxKeys: number;
  /** Default: 1,000. */
  maxCertificates: number;
  /** Of each certificate: a larger one is passed over, as one that cannot be read. Default: 131,072. */
  maxCertificateBytes: number;
  /**
   * Signatures to verify, in all: each key is proven to belong to its certificate, each certificate to be issued by another.
   * Default: 3,000 (a second or two). Beyond it: ERR_P12_TOO_EXPENSIVE.
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
