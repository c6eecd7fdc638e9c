import { compileWasm, type WasmSource } from './wasm-source.js';

/** Where the engine's WebAssembly comes from: an address, a response, its bytes, or a compiled module. */
export type EngineSource = WasmSource;

let defaultModule: Promise<WebAssembly.Module> | undefined;

/**
 * Loads and compiles the engine. Without a source, the one that comes with the package, once per page; a failed
 * attempt is not remembered.
 *
 * @throws MtlsError ERR_ENGINE_LOAD
 */
export function loadEngine(source?: EngineSource): Promise<WebAssembly.Module> {
  if (source !== undefined) return compile(source);
  defaultModule ??= compile(new URL('../../wasm/browser-mtls.wasm?no-inline', import.meta.url)).catch(
    error => {
      defaultModule = undefined;
      throw error;
    },
  );
  return defaultModule;
}

function compile(source: EngineSource): Promise<WebAssembly.Module> {
  return compileWasm(source, { name: 'engine', file: 'engine.wasm', code: 'ERR_ENGINE_LOAD' });
}
