import type { EngineSource } from '../engine/load.js';
import { MtlsError } from '../errors.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { Part } from '../util/part.js';
import { requireWebCrypto } from '../util/web-crypto.js';
import { ImportBudget, type ImportProgress } from './budget/import-budget.js';
import { checkedLimits, type Pkcs12Limits } from './budget/limits.js';
import { damaged } from './errors.js';
import type { Pkcs12, Pkcs12Inspection } from './pkcs12.js';
import { readSource } from './source.js';

export type { ImportProgress } from './budget/import-budget.js';
export type { Pkcs12Limits } from './budget/limits.js';

/** Options of `openPkcs12`. */
export interface OpenPkcs12Options {
  /** Default: none. An empty password is read both as empty and as absent, which files tell apart. */
  password?: string;
  /**
   * Of private keys, or of encrypted certificates, that have another password than the file. `password` is tried on them as well.
   * Default: none.
   */
  keyPassword?: string | undefined;
  /** The same as `limits.maxIterations`. */
  maxIterations?: number;
  /** What a file may ask for at most. */
  limits?: Partial<Pkcs12Limits>;
  /**
   * Keeps an encrypted copy of each private key in memory, as long as its identity lives or until `IdentityStore.add` has
   * wrapped it, which needs it for `userVerification: 'required'`. Default: false.
   */
  sealedCopy?: boolean;
  /** The engine's .wasm; default: the one of this package. */
  engine?: EngineSource;
  /** Ends the import; it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called as the key derivations go on. */
  onProgress?: (progress: ImportProgress) => void;
}

const inspectionNames = { limits: true, signal: true } as const;
/** @internal */
export const openPkcs12Names: OptionNames<OpenPkcs12Options> = {
  ...inspectionNames,
  password: true,
  keyPassword: true,
  maxIterations: true,
  sealedCopy: true,
  engine: true,
  onProgress: true,
};

/**
 * Opens a PKCS#12 file (.p12, .pfx; RFC 7292, RFC 9579). Its private keys become CryptoKeys that cannot be
 * exported, each proven to belong to its certificate.
 *
 * The MAC, where there is one, is checked before anything is decrypted. Buffers that held secrets are overwritten; the
 * password string itself is the caller's.
 *
 * @throws MtlsError ERR_P12_PASSWORD when the password is wrong or missing; ERR_P12_KEY_PASSWORD when it is right, and no identity
 *   can be opened without `keyPassword`, or with this one; ERR_P12_MALFORMED when the file is damaged,
 *   cut short or something else; ERR_P12_UNSUPPORTED, naming the algorithm, before the password matters where the file
 *   shows it; ERR_P12_TOO_EXPENSIVE before any work is done; ERR_INSECURE_CONTEXT; ERR_ENGINE_LOAD.
 */
export async function openPkcs12(
  source: BufferSource | Blob | Response,
  options: OpenPkcs12Options = {},
): Promise<Pkcs12> {
  checkOptionNames(options, openPkcs12Names);
  const { password = '', keyPassword, maxIterations, sealedCopy = false } = options;
  const { engine, signal, onProgress } = options;
  if (typeof password !== 'string') throw new TypeError('"password" must be a string');
  if (keyPassword !== undefined && typeof keyPassword !== 'string')
    throw new TypeError('"keyPassword" must be a string');
  if (typeof sealedCopy !== 'boolean') throw new TypeError('"sealedCopy" must be true or false');
  const limits = checkedLimits(options.limits, maxIterations);
  signal?.throwIfAborted();
  requireWebCrypto();
  return withFile(source, { limits, signal }, (file, { importFile }) =>
    importFile(file, {
      ...{ password, keyPassword, sealedCopy, engine },
      budget: new ImportBudget({ limits, onProgress, signal }),
    }),
  );
}

/**
 * Tells what opening a PKCS#12 file will cost, without its password and without any budget.
 *
 * @throws MtlsError ERR_P12_MALFORMED, ERR_P12_UNSUPPORTED
 */
export async function inspectPkcs12(
  source: BufferSource | Blob | Response,
  options: { limits?: Partial<Pkcs12Limits>; signal?: AbortSignal } = {},
): Promise<Pkcs12Inspection> {
  checkOptionNames(options, inspectionNames);
  const { signal } = options;
  const limits = checkedLimits(options.limits);
  signal?.throwIfAborted();
  return withFile(source, { limits, signal }, (file, { inspectFile }) =>
    inspectFile(file, new ImportBudget({ limits, signal })),
  );
}

type Importer = typeof import('./import.js');

/**
 * With PKI.js and asn1js.
 *
 * @internal
 */
export const importerPart = /* @__PURE__ */ new Part<Importer>(() => import('./import.js'), {
  code: 'ERR_ENGINE_LOAD',
  task: 'reads PKCS#12',
});

/** Reads the file, and overwrites it in the end. Whatever a hostile file makes go wrong is damage. */
async function withFile<T>(
  source: BufferSource | Blob | Response,
  { limits, signal }: { limits: Pkcs12Limits; signal: AbortSignal | undefined },
  act: (file: Uint8Array<ArrayBuffer>, importer: Importer) => T | Promise<T>,
): Promise<T> {
  const importer = await importerPart.load();
  const file = await readSource(source, { maxBytes: limits.maxFileBytes, signal });
  try {
    const result = await act(file, importer);
    signal?.throwIfAborted();
    return result;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof MtlsError) throw error;
    throw damaged('something else was expected inside', error);
  } finally {
    file.fill(0);
  }
}
