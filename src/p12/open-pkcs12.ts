import type { EngineSource } from '../engine/load.js';
import { MtlsError } from '../errors.js';
import type { Certificate, Identity } from '../identity/types.js';
import { malformed } from './errors.js';
import { readSource } from './source.js';
import { type ImportProgress, Work } from './work.js';

export type { ImportProgress } from './work.js';

/** What a PKCS#12 file holds. */
export interface Pkcs12 {
  /** Keys with their certificates, in the file's order. Empty when the file has no key that belongs to a certificate. */
  identities: Identity[];
  /** The certificates that are in no identity's chain. */
  certificates: Certificate[];
}

export interface OpenPkcs12Options {
  /** Default: none. An empty password is read both as empty and as absent, which files tell apart. */
  password?: string;
  /**
   * The most iterations of key derivation that a file may ask for, summed over its MAC and all its parts; default
   * 4,000,000 (a few seconds), 1 to 4,294,967,295.
   */
  maxIterations?: number;
  /** The engine's .wasm; default: the one of this package. */
  engine?: EngineSource;
  /** Ends the import; it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called as the key derivations go on. */
  onProgress?: (progress: ImportProgress) => void;
}

const DEFAULT_MAX_ITERATIONS = 4_000_000;

/**
 * Opens a PKCS#12 file (.p12, .pfx; RFC 7292) of at most 10 MiB. Its private keys become CryptoKeys that cannot be
 * exported, each proven to belong to its certificate.
 *
 * The MAC, where there is one, is checked before anything is decrypted. Buffers that held secrets are overwritten; the
 * password string itself is the caller's.
 *
 * @throws MtlsError ERR_P12_PASSWORD when the password is wrong or missing; ERR_P12_MALFORMED when the file is damaged,
 *   cut short or something else; ERR_P12_UNSUPPORTED, naming the algorithm, before the password matters where the file
 *   shows it; ERR_P12_TOO_EXPENSIVE before any work is done; ERR_ENGINE_LOAD.
 */
export async function openPkcs12(
  source: BufferSource | Blob | Response,
  options: OpenPkcs12Options = {},
): Promise<Pkcs12> {
  const { password = '', maxIterations = DEFAULT_MAX_ITERATIONS, engine, signal, onProgress } = options;
  if (typeof password !== 'string') throw new TypeError('password is a string');
  if (!Number.isInteger(maxIterations) || maxIterations < 1 || maxIterations > 0xffff_ffff)
    throw new TypeError('maxIterations is an integer from 1 to 4,294,967,295');
  signal?.throwIfAborted();
  const { importFile } = await loadImporter();
  const file = await readSource(source, signal);
  try {
    const work = new Work({ maxIterations, onProgress, signal });
    return await importFile(file, { password, engine, work });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof MtlsError) throw error;
    throw malformed('The file is damaged: something else was expected inside.', error);
  } finally {
    file.fill(0);
  }
}

/** PKI.js and asn1js are large: they are loaded with the first file. */
async function loadImporter() {
  try {
    return await import('./import.js');
  } catch (cause) {
    throw new MtlsError(
      'ERR_ENGINE_LOAD',
      'The part of the library that reads PKCS#12 could not be loaded.',
      { cause },
    );
  }
}
