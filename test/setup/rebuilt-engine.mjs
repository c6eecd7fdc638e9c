import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';

const NAMES = ['browser-mtls.wasm', 'decoders.wasm'];

/** What stood in the tree, while the rebuilt ones stand in its place. */
let replaced = [];

/**
 * Builds each .wasm from source and puts it where the tests and the build take it from, until `restoreEngine`. Its bytes may differ
 * from the committed ones, as compilers differ.
 */
export async function rebuildEngine({ scratch, timeoutMs }) {
  const folder = join(scratch, 'wasm');
  mkdirSync(folder);
  const { ok } = await runCommand(['wasm/build.sh', folder], { timeoutMs });
  if (!ok) return false;
  for (const name of NAMES) replace(join('wasm', name), readFileSync(join(folder, name)));
  return true;
}

function replace(path, rebuilt) {
  const committed = existsSync(path) ? readFileSync(path) : undefined;
  const same = committed?.equals(rebuilt)
    ? 'the same bytes as the committed one'
    : 'other bytes than the committed one';
  console.log(`built ${path}: ${rebuilt.length} bytes, ${same}`);
  replaced.push({ path, committed, rebuilt });
  writeFileSync(path, rebuilt);
}

/** Puts the committed ones back, unless somebody has built others meanwhile. */
export function restoreEngine() {
  for (const { path, committed, rebuilt } of replaced) {
    if (committed && readFileSync(path).equals(rebuilt)) writeFileSync(path, committed);
  }
  replaced = [];
}
