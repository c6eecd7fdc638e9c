import { readFileSync } from 'node:fs';

let compiled: WebAssembly.Module | undefined;

/** The engine under test: the committed .wasm, or the one that the environment names. */
export function engineModule(): WebAssembly.Module {
  const file = process.env.BROWSER_MTLS_WASM ?? new URL('../../wasm/browser-mtls.wasm', import.meta.url);
  compiled ??= new WebAssembly.Module(readFileSync(file));
  return compiled;
}
