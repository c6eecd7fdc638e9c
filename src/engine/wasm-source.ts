import { MtlsError, type MtlsErrorCode } from '../errors.js';
import { type AssetSource, assetBytes } from './asset.js';

/** Where WebAssembly comes from: an address, a response, its bytes, or a compiled module. */
export type WasmSource = AssetSource | WebAssembly.Module;

/** What is loaded, for the error when it cannot be. */
interface Loaded {
  name: string;
  file: string;
  code: MtlsErrorCode;
}

/**
 * Compiles a module.
 *
 * @throws MtlsError with the code of what is loaded
 */
export async function compileWasm(source: WasmSource, loaded: Loaded): Promise<WebAssembly.Module> {
  const { name, file, code } = loaded;
  const refused = (answer: string) => new MtlsError(code, `The ${name} could not be loaded: ${answer}.`);
  try {
    if (source instanceof WebAssembly.Module) return source;
    // Compiled from its bytes rather than streamed: that needs no right Content-Type from the server.
    return await WebAssembly.compile(await assetBytes(source as AssetSource, refused));
  } catch (cause) {
    if (cause instanceof MtlsError) throw cause;
    throw new MtlsError(
      code,
      `The ${name} could not be loaded: check that ${file} is served, and that the page's Content-Security-Policy has 'wasm-unsafe-eval' in script-src; the browser must support WebAssembly SIMD.`,
      { cause },
    );
  }
}
