// The way through a file. Loaded on demand, with PKI.js and asn1js behind it.

import { loadEngine } from '../engine/load.js';
import type { WasmSource } from '../engine/wasm-source.js';
import type { ImportBudget } from './budget/import-budget.js';
import { Contents } from './contents.js';
import { Decryption, type DecryptionOptions } from './decryption/decrypt.js';
import { ImportEngine } from './decryption/engine.js';
import { malformed } from './errors.js';
import { collect } from './identities.js';
import type { Pkcs12, Pkcs12Inspection } from './pkcs12.js';
import { recogniseOther } from './structure/recognise.js';
import { type Pfx, parsePfx } from './structure/structure.js';

export interface ImportOptions extends DecryptionOptions {
  engine: WasmSource | undefined;
  budget: ImportBudget;
}

export async function importFile(
  file: Uint8Array<ArrayBuffer>,
  { engine: source, budget, ...options }: ImportOptions,
): Promise<Pkcs12> {
  const pfx = readOutside(file);
  const contents = await Contents.read(pfx, budget);
  contents.plan();
  budget.throwIfAborted();

  const engine = await ImportEngine.create(await loadEngine(source));
  const decryption = new Decryption(engine, budget, options);
  try {
    decryption.prefetch(contents.encryptions);
    const found =
      (await decryption.macVerifies(pfx)) && (await collect(await contents.open(decryption), decryption));
    // Asking for the password again is of no use where no password is.
    if (!found) throw contents.hopeless ?? decryption.wrongPassword();
    budget.finish();
    return found;
  } finally {
    decryption.wipe();
  }
}

/** What a file's outside shows, without the password and without any work. */
export async function inspectFile(
  file: Uint8Array<ArrayBuffer>,
  budget: ImportBudget,
): Promise<Pkcs12Inspection> {
  const pfx = readOutside(file);
  const { visibleCosts: costs } = await Contents.read(pfx, budget);
  return {
    integrity: pfx.mac ? (pfx.mac.scheme.kind === 'pbmac1' ? 'PBMAC1' : 'MAC') : 'none',
    iterations: costs.reduce((sum, it) => sum + it.iterations, 0),
    memoryBytes: Math.max(0, ...costs.map(it => it.memoryBytes)),
  };
}

function readOutside(file: Uint8Array<ArrayBuffer>): Pfx {
  const other = recogniseOther(file);
  if (other) throw malformed(`The file is not a PKCS#12 file (.p12, .pfx) but ${other}.`);
  return parsePfx(file);
}
