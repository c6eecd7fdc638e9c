import { isA } from '../platform.js';
import { type Asset, type AssetSource, Delivery } from './asset.js';

/** Where a .wasm of this package comes from: an address, a `Response`, its bytes, or a compiled module. */
export type WasmSource = AssetSource | WebAssembly.Module;

const MAGIC = '00 61 73 6d';
const REMEDY =
  "Check that the page's Content-Security-Policy has 'wasm-unsafe-eval' in script-src; the browser must support WebAssembly SIMD.";

/**
 * Compiles a module.
 *
 * @throws MtlsError with the code of the asset
 */
export async function compileWasm(asset: Asset, source: WasmSource): Promise<WebAssembly.Module> {
  if (isA(source, WebAssembly.Module, 'WebAssembly.Module')) return source;
  const delivery = await Delivery.of(asset, source);
  const { response } = delivery;
  try {
    // Compiled while it is received; browsers keep the result for the next visit as well.
    if (response && isStreamable(response)) return await WebAssembly.compileStreaming(response);
  } catch (cause) {
    throw delivery.failure('it did not compile', REMEDY, cause);
  }
  const bytes = await delivery.bytes();
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    if (!isWasm(bytes)) throw delivery.unexpected(bytes, `${MAGIC} (WebAssembly)`, cause);
    throw delivery.failure('it did not compile', REMEDY, cause);
  }
}

/** WebAssembly is compiled from a response with this Content-Type alone, and not every server sends it. */
function isStreamable({ headers }: Response): boolean {
  return headers.get('content-type') === 'application/wasm';
}

function isWasm(bytes: Uint8Array): boolean {
  return MAGIC.split(' ').every((hex, at) => bytes[at] === Number.parseInt(hex, 16));
}
