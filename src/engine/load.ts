import { MtlsError } from '../errors.js';
import { isA, platformFetch } from '../platform.js';

/** Where the engine's WebAssembly comes from: an address, a response, its bytes, or a compiled module. */
export type EngineSource = URL | string | Response | BufferSource | WebAssembly.Module;

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

async function compile(source: EngineSource): Promise<WebAssembly.Module> {
  try {
    if (source instanceof WebAssembly.Module) return source;
    if (typeof source === 'string' || source instanceof URL)
      return await compileResponse(await platformFetch(source));
    if (isA(source, Response)) return await compileResponse(source);
    return await WebAssembly.compile(source);
  } catch (cause) {
    if (cause instanceof MtlsError) throw cause;
    throw new MtlsError(
      'ERR_ENGINE_LOAD',
      "The engine could not be loaded: check that engine.wasm is served, and that the page's Content-Security-Policy has 'wasm-unsafe-eval' in script-src.",
      { cause },
    );
  }
}

async function compileResponse(response: Response): Promise<WebAssembly.Module> {
  if (!response.ok) {
    throw new MtlsError(
      'ERR_ENGINE_LOAD',
      `The engine could not be loaded: ${response.url.replace(/[?#].*/s, '')} answered ${response.status}.`,
    );
  }
  // Compiled from its bytes rather than streamed: that needs no right Content-Type from the server.
  return WebAssembly.compile(await response.arrayBuffer());
}
