import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';

const PATH = 'wasm/browser-mtls.wasm';

/** What stood in the tree, while the rebuilt one stands in its place. */
let replaced;

/**
 * Builds the .wasm from source and puts it where the tests and the build take it from, until `restoreEngine`. Its bytes may differ
 * from the committed ones, as compilers differ.
 */
export async function rebuildEngine({ scratch, timeoutMs }) {
  const folder = join(scratch, 'wasm');
  mkdirSync(folder);
  const { ok } = await runCommand(['wasm/build.sh', folder], { timeoutMs });
  if (!ok) return false;
  const rebuilt = readFileSync(join(folder, 'browser-mtls.wasm'));
  const committed = existsSync(PATH) ? readFileSync(PATH) : undefined;
  const same = committed?.equals(rebuilt)
    ? 'the same bytes as the committed one'
    : 'other bytes than the committed one';
  console.log(`built ${rebuilt.length} bytes, ${same}`);
  replaced = { committed, rebuilt };
  copyFileSync(join(folder, 'browser-mtls.wasm'), PATH);
  return true;
}

/** Puts the committed .wasm back, unless somebody has built another one meanwhile. */
export function restoreEngine() {
  if (!replaced) return;
  const { committed, rebuilt } = replaced;
  replaced = undefined;
  if (committed && readFileSync(PATH).equals(rebuilt)) writeFileSync(PATH, committed);
}
