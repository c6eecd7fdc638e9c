#!/usr/bin/env node
// `npm run size`: what a page downloads. Fails when the engine or the decoders are above their budget.
import { readFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build, minifySync } from 'vite';

const ENGINE = 'wasm/browser-mtls.wasm';
const ENGINE_BUDGET_BYTES = 380 * 1024;
const DECODERS = 'wasm/decoders.wasm';
const DECODERS_BUDGET_BYTES = 120 * 1024;

const { output } = [await build({ logLevel: 'error', build: { write: false } })].flat()[0];
const chunks = new Map(output.filter(({ type }) => type === 'chunk').map(chunk => [chunk.fileName, chunk]));
const entry = withStaticImports(['index.js']);
const later = withStaticImports([...entry].flatMap(name => chunks.get(name).dynamicImports));
for (const name of entry) later.delete(name);

console.log('                                   bytes     minified    gzip -9   brotli -11');
const engine = readFileSync(ENGINE);
const engineBrotli = report('engine.wasm', engine, engine);
reportChunks('index.js and what it imports', entry);
reportChunks('for PKCS#12, cookies, …, if needed', later);
const decoders = readFileSync(DECODERS);
const decodersBrotli = report('decoders.wasm, if needed', decoders, decoders);

console.log('');
const fits = [
  compare('the engine', ENGINE_BUDGET_BYTES, engineBrotli),
  compare('the decoders', DECODERS_BUDGET_BYTES, decodersBrotli),
];
process.exitCode = fits.every(Boolean) ? 0 : 1;

function compare(what, budgetBytes, bytes) {
  const difference = budgetBytes - bytes;
  const where = difference < 0 ? 'above' : 'below';
  console.log(`Budget of ${what}: ${budgetBytes} bytes brotli, ${Math.abs(difference)} bytes ${where} it`);
  return difference >= 0;
}

function withStaticImports(names) {
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

function reportChunks(title, names) {
  const codes = [...names].map(name => chunks.get(name).code);
  const minified = [...names].map(name => minifySync(name, chunks.get(name).code, { module: true }).code);
  report(title, Buffer.from(codes.join('')), Buffer.from(minified.join('')));
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
