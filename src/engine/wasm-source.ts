import { MtlsError, type MtlsErrorCode } from '../errors.js';
import { isA } from '../platform.js';
import { type AssetSource, openAsset } from './asset.js';

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
    const opened = await openAsset(source as AssetSource, refused);
    if (!isA(opened, Response)) return await WebAssembly.compile(opened);
    // While it is received; browsers keep the result for the next visit as well.
    if (isStreamable(opened)) return await WebAssembly.compileStreaming(opened);
    return await WebAssembly.compile(await opened.arrayBuffer());
  } catch (cause) {
    if (cause instanceof MtlsError) throw cause;
    throw new MtlsError(
      code,
      `The ${name} could not be loaded: check that ${file} is served, and that the page's Content-Security-Policy has 'wasm-unsafe-eval' in script-src; the browser must support WebAssembly SIMD.`,
      { cause },
    );
  }
}

/** WebAssembly is compiled from a response with this Content-Type alone, and not every server knows it. */
function isStreamable({ headers }: Response): boolean {
  return headers.get('content-type') === 'application/wasm';
}
