// The way through a file. Loaded on demand.
import type { EngineSource } from '../engine/load.js';
import { loadEngine } from '../engine/load.js';
import { Contents } from './contents.js';
import { Session, type SessionOptions } from './decrypt.js';
import { ImportEngine } from './engine.js';
import { malformed } from './errors.js';
import { collect } from './identities.js';
import type { Work } from './import-budget.js';
import type { Pkcs12, Pkcs12Inspection } from './pkcs12.js';
import { recogniseOther } from './recognise.js';
import { type Pfx, parsePfx } from './structure.js';

export interface ImportOptions extends SessionOptions {
  engine: EngineSource | undefined;
  work: Work;
}

export async function importFile(
  file: Uint8Array<ArrayBuffer>,
  { engine: source, work, ...options }: ImportOptions,
): Promise<Pkcs12> {
  const pfx = readOutside(file);
  const contents = await Contents.read(pfx, work);
  contents.plan();
  work.throwIfAborted();

  const engine = await ImportEngine.create(await loadEngine(source));
  const session = new Session(engine, work, options);
  try {
    session.prefetch(contents.encryptions);
    const found = (await session.macVerifies(pfx)) && (await collect(await contents.open(session), session));
    // Asking for the password again is of no use where no password is.
    if (!found) throw contents.hopeless ?? session.wrongPassword();
    work.finish();
    return found;
  } finally {
    session.wipe();
  }
}

/** What a file's outside shows, without the password and without any work. */
export async function inspectFile(file: Uint8Array<ArrayBuffer>, work: Work): Promise<Pkcs12Inspection> {
  const pfx = readOutside(file);
  const { visibleCosts: costs } = await Contents.read(pfx, work);
  return {
    integrity: pfx.mac ? (pfx.mac.scheme.kind === 'pbmac1' ? 'PBMAC1' : 'MAC') : 'none',
    iterations: costs.reduce((sum, it) => sum + it.iterations, 0),
    memoryBytes: Math.max(0, ...costs.map(it => it.memoryBytes)),
  };
}

function readOutside(file: Uint8Array<ArrayBuffer>): Pfx {
  const other = recogniseOther(file);
  if (other) throw malformed(`This is not a PKCS#12 file but ${other}.`);
  return parsePfx(file);
}
