#!/usr/bin/env node
// `npm run size`: what a page downloads. Fails when something is above its budget.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build, minifySync } from 'vite';

const ENGINE = 'wasm/browser-mtls.wasm';
const ENGINE_BUDGET_BYTES = 380 * 1024;
const DECODERS = 'wasm/decoders.wasm';
const DECODERS_BUDGET_BYTES = 120 * 1024;
/**
 * What the package adds to an application that uses one name alone, bundled by Vite: what is loaded with the page; with `and`, also these
 * chunks; with `later`, all that is loaded on demand as well.
 */
const NAME_BUDGETS = [
  { name: 'createClient', budgetBytes: 17.25 * 1024 },
  // Loaded beside the engine.
  { name: 'createClient', and: ['client'], budgetBytes: 61.5 * 1024 },
  { name: 'openPkcs12', budgetBytes: 48 * 1024, later: true },
  { name: 'IdentityStore', budgetBytes: 13 * 1024 },
  { name: 'MtlsError', budgetBytes: 512 },
];

/** Without a bundler each file is a request. */
const MAX_FILES = 5;

const folder = mkdtempSync(join(tmpdir(), 'mtls-size-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
const installed = join(folder, 'node_modules/browser-mtls');
mkdirSync(installed, { recursive: true });
copyFileSync('package.json', join(installed, 'package.json'));
const library = chunksOf(await build({ logLevel: 'error', build: { outDir: join(installed, 'dist') } }));
const [entry, later] = loadedWith(library, 'index.js');

console.log('                                   bytes     minified    gzip -9   brotli -11');
const engine = readFileSync(ENGINE);
const engineBrotli = report('engine.wasm', engine, engine);
reportChunks('index.js and what it imports', library, entry);
reportChunks('for PKCS#12, cookies, …, if needed', library, later);
const decoders = readFileSync(DECODERS);
const decodersBrotli = report('decoders.wasm, if needed', decoders, decoders);
reportFiles();
const named = [];
for (const budget of NAME_BUDGETS) named.push({ ...budget, bytes: await measure(budget) });

console.log('');
const fits = [
  compare('the engine', ENGINE_BUDGET_BYTES, engineBrotli),
  compare('the decoders', DECODERS_BUDGET_BYTES, decodersBrotli),
  ...named.map(({ budgetBytes, bytes, ...budget }) => compare(titleOf(budget), budgetBytes, bytes)),
  entry.size <= MAX_FILES,
];
process.exitCode = fits.every(Boolean) ? 0 : 1;

function compare(what, budgetBytes, bytes) {
  const difference = budgetBytes - bytes;
  const where = difference < 0 ? 'above' : 'below';
  console.log(`Budget of ${what}: ${budgetBytes} bytes brotli, ${Math.abs(difference)} bytes ${where} it`);
  return difference >= 0;
}

function chunksOf(built) {
  const { output } = [built].flat()[0];
  return new Map(output.filter(({ type }) => type === 'chunk').map(chunk => [chunk.fileName, chunk]));
}

/** The files that a file imports, itself among them, and those that they load on demand. */
function loadedWith(chunks, file) {
  const now = withStaticImports(chunks, [file]);
  const onDemand = new Set(now);
  for (const name of onDemand) {
    const { imports, dynamicImports } = chunks.get(name);
    for (const next of [...imports, ...dynamicImports]) if (chunks.has(next)) onDemand.add(next);
  }
  for (const name of now) onDemand.delete(name);
  return [now, onDemand];
}

function withStaticImports(chunks, names) {
  const found = new Set();
  const visit = name => {
    const chunk = chunks.get(name);
    if (!chunk || found.has(name)) return;
    found.add(name);
    chunk.imports.forEach(visit);
  };
  names.forEach(visit);
  return found;
}

/** An application that uses one name. */
async function measure({ name, and = [], later = false }) {
  const input = join(folder, `${name}.js`);
  writeFileSync(input, `import { ${name} } from 'browser-mtls';\nglobalThis.used = ${name};\n`);
  const options = {
    write: false,
    minify: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    rolldownOptions: { input },
  };
  const built = chunksOf(await build({ root: folder, configFile: false, logLevel: 'error', build: options }));
  const { fileName } = [...built.values()].find(({ isEntry }) => isEntry);
  const [, onDemand] = loadedWith(built, fileName);
  const also = [...onDemand].filter(it => later || and.includes(built.get(it).name));
  return reportChunks(titleOf({ name, and }), built, withStaticImports(built, [fileName, ...also]));
}

function titleOf({ name, and = [] }) {
  return and.length > 0 ? `${name} and its first request` : name;
}

/** What a page without a bundler fetches before it runs. */
function reportFiles() {
  console.log(`index.js and what it imports: ${entry.size} files, at most ${MAX_FILES}`);
}

function reportChunks(title, chunks, names) {
  const codes = [...names].map(name => chunks.get(name).code);
  const minified = [...names].map(name => minifySync(name, chunks.get(name).code, { module: true }).code);
  return report(title, Buffer.from(codes.join('')), Buffer.from(minified.join('')));
}

/** One line; gives the brotli size. */
function report(title, raw, minified) {
  const gzip = gzipSync(minified, { level: 9 }).length;
  const brotli = brotliCompressSync(minified, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: minified.length },
  }).length;
  const numbers = [raw.length, minified.length, gzip, brotli].map(bytes => String(bytes).padStart(11));
  console.log(`${title.padEnd(35)}${numbers.join('')}`);
  return brotli;
}
