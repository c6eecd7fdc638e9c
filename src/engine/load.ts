import type { Asset } from './asset.js';
import { AssetLoader } from './asset-loader.js';
import { compileWasm, type WasmSource } from './wasm-source.js';

const asset: Asset = {
  option: 'engine',
  subject: 'The engine',
  file: 'engine.wasm',
  code: 'ERR_ENGINE_LOAD',
};
const loader = /* @__PURE__ */ new AssetLoader<WasmSource, WebAssembly.Module>(
  asset,
  source => compileWasm(asset, source),
  () => new URL('../../wasm/browser-mtls.wasm', import.meta.url),
);

/**
 * Loads and compiles the engine, once for each source. Default: the configured one, otherwise the one that comes with the package.
 *
 * @throws MtlsError ERR_ENGINE_LOAD
 */
export function loadEngine(source?: WasmSource): Promise<WebAssembly.Module> {
  return loader.load(source);
}
