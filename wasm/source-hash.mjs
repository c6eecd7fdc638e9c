// The SHA-256 of everything the engine and the decoders are built from, so that a stale .wasm can be told.
// `node wasm/source-hash.mjs` prints it; with `--check` it compares it with the committed one.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const folders = ['engine/src', 'abi/src', 'chacha20poly1305/src', 'decoders/src'];
const files = [
  'Cargo.toml',
  'Cargo.lock',
  'engine/Cargo.toml',
  'abi/Cargo.toml',
  'chacha20poly1305/Cargo.toml',
  'decoders/Cargo.toml',
  'build.sh',
  'c-compiler',
  '../rust-toolchain.toml',
];

function sources() {
  const nested = folders.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => relative(root, join(entry.parentPath ?? entry.path, entry.name))),
  );
  return [...files, ...nested].sort();
}

export function sourceHash() {
  const hash = createHash('sha256');
  for (const file of sources()) {
    const content = readFileSync(join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const hash = sourceHash();
  console.log(hash);
  if (process.argv.includes('--check')) {
    const built = readFileSync(join(root, 'browser-mtls.wasm.sources.sha256'), 'utf8').trim();
    if (built !== hash) {
      console.error(
        'wasm/browser-mtls.wasm or wasm/decoders.wasm is stale: run "npm run wasm" and commit the result',
      );
      process.exit(1);
    }
  }
}
