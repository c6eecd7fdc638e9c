import { MtlsError, type MtlsErrorCode } from '../errors.js';
import { isA, platformFetch } from '../platform.js';

type BytesSource = URL | string | Response | BufferSource;

/** Where WebAssembly comes from: an address, a response, its bytes, or a compiled module. */
export type WasmSource = BytesSource | WebAssembly.Module;

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
  try {
    if (source instanceof WebAssembly.Module) return source;
    return await WebAssembly.compile(await bytesOf(source as BytesSource, loaded));
  } catch (cause) {
    if (cause instanceof MtlsError) throw cause;
    const { name, file, code } = loaded;
    throw new MtlsError(
      code,
      `The ${name} could not be loaded: check that ${file} is served, and that the page's Content-Security-Policy has 'wasm-unsafe-eval' in script-src.`,
      { cause },
    );
  }
}

async function bytesOf(source: BytesSource, { name, code }: Loaded): Promise<BufferSource> {
  const isAddress = typeof source === 'string' || source instanceof URL;
  const file = isAddress ? await bytesOfFile(source) : undefined;
  if (file) return file;
  const response = isAddress ? await platformFetch(source) : source;
  if (!isA(response, Response)) return response;
  if (!response.ok) {
    throw new MtlsError(
      code,
      `The ${name} could not be loaded: ${response.url.replace(/[?#].*/s, '')} answered ${response.status}.`,
    );
  }
  // Compiled from its bytes rather than streamed: that needs no right Content-Type from the server.
  return response.arrayBuffer();
}

/** In Node a package's files have file: addresses, which Node's fetch does not read. */
async function bytesOfFile(address: string | URL): Promise<BufferSource | undefined> {
  const url = String(address);
  const node = (globalThis as { process?: Partial<NodeModules> }).process?.getBuiltinModule;
  if (!node || !/^file:/i.test(url)) return undefined;
  return node('node:fs/promises').readFile(new URL(url));
}

interface NodeModules {
  getBuiltinModule(name: 'node:fs/promises'): {
    readFile(url: URL): Promise<Uint8Array<ArrayBuffer>>;
  };
}
