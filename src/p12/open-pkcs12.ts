import type { WasmSource } from '../engine/wasm-source.js';
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
  /** The password of the file. An empty one is tried as empty and as absent. Default: none. */
  password?: string;
  /**
   * The password of private keys or certificates that have a separate one. Both passwords are tried on all parts. Default: none.
   */
  keyPassword?: string | undefined;
  /** The same as `limits.maxIterations`, which it overrides. */
  maxIterations?: number;
  /** Limits of the work and memory that the file may cost. Default: those of {@link Pkcs12Limits}. */
  limits?: Partial<Pkcs12Limits>;
  /**
   * Keeps an encrypted copy of each private key in memory. `IdentityStore.add` needs it for `userVerification: 'required'`. The copy ends when
   * `add` has wrapped it, or with the `Identity` object. Default: false.
   */
  sealedCopy?: boolean;
  /** Where engine.wasm is. Default: found beside the module, or as given to `configure`. */
  engine?: WasmSource;
  /** Ends the import; it rejects with the signal's reason. Default: none. */
  signal?: AbortSignal;
  /** Called while keys are derived. Default: none. */
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
 * Opens a PKCS#12 file (.p12, .pfx; RFC 7292, RFC 9579; `docs/pkcs12.md`). Its private keys become non-extractable CryptoKeys, and each
 * is proven to belong to its certificate.
 *
 * The MAC, if there is one, is verified before anything is decrypted. Buffers that held secrets are overwritten, but not the password
 * string, which belongs to the caller.
 *
 * @throws MtlsError ERR_P12_PASSWORD if the password is wrong or missing; ERR_P12_KEY_PASSWORD if it is right, but the keys have another
 *   one; ERR_P12_MALFORMED if the file is damaged, cut short or something else; ERR_P12_UNSUPPORTED for an algorithm that is not supported;
 *   ERR_P12_TOO_EXPENSIVE before any work is done; ERR_INSECURE_CONTEXT; ERR_ENGINE_LOAD
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
 * Tells what it costs to open a PKCS#12 file. It needs no password and derives no key.
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
