import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';

const NAMES = ['browser-mtls.wasm', 'decoders.wasm'];

/** What stood in the tree, while the rebuilt ones stand in its place. */
let replaced = [];

/**
 * Builds each .wasm from source and puts it where the tests and the build take it from, until `restoreEngine`. The pinned compilers
 * must give the committed bytes; others may give other ones.
 */
export async function rebuildEngine({ scratch, timeoutMs, heldAs }) {
  const folder = join(scratch, 'wasm');
  mkdirSync(folder);
  const { ok, output } = await runCommand(['wasm/build.sh', folder], {
    timeoutMs,
    capture: true,
    heldAs,
  });
  if (!ok) return false;
  const same = NAMES.map(name => replace(join('wasm', name), readFileSync(join(folder, name)))).every(
    Boolean,
  );
  const pinned = /^pinned compilers: /m.test(output);
  if (pinned && !same) {
    console.error(
      'The pinned compilers must give the committed bytes: run wasm/build.sh and commit the result',
    );
  }
  return same || !pinned;
}

function replace(path, rebuilt) {
  const committed = existsSync(path) ? readFileSync(path) : undefined;
  const same = committed?.equals(rebuilt) ?? false;
  const bytes = same ? 'the same bytes as the committed one' : 'other bytes than the committed one';
  console.log(`built ${path}: ${rebuilt.length} bytes, ${bytes}`);
  replaced.push({ path, committed, rebuilt });
  writeFileSync(path, rebuilt);
  return same;
}

/** Puts the committed ones back, unless somebody has built others meanwhile. */
export function restoreEngine() {
  for (const { path, committed, rebuilt } of replaced) {
    if (committed && readFileSync(path).equals(rebuilt)) writeFileSync(path, committed);
  }
  replaced = [];
}
