import type { WasmSource } from '../../engine/wasm-source.js';
import { Part } from '../../util/part.js';
import type { Format } from './wasm-decoder.js';

type Library = typeof import('./wasm-decoder.js');

/**
 * Loads `decoders.wasm` and feeds it.
 *
 * @internal
 */
export const decoderPart = /* @__PURE__ */ new Part<Library>(() => import('./wasm-decoder.js'), {
  code: 'ERR_HTTP_DECODING',
  task: 'decodes bodies',
});

/** What ends at once in each format, with one byte too many. */
const withJunk: Partial<Record<Format, number[]>> = {
  gzip: [31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  deflate: [120, 156, 3, 0, 0, 0, 0, 1, 0],
  'deflate-raw': [3, 0, 0],
  brotli: [59, 0],
};
const platformDecodes = new Map<Format, Promise<boolean>>();

/** The decoders of a client: the platform's, or where that has none, or one that is not strict, those of `decoders.wasm`. */
export class Decoders {
  #source: WasmSource | undefined;
  #loaded: Promise<{ library: Library; module: WebAssembly.Module }> | undefined;

  /** @param source where `decoders.wasm` comes from. Default: the one of this package */
  constructor(source?: WasmSource) {
    this.#source = source;
  }

  /**
   * Decodes a body as it is read.
   *
   * @param next gives the body piece by piece, undefined at its end
   * @throws MtlsError ERR_HTTP_DECODING when the decoders cannot be loaded
   */
  async decode(
    format: Format,
    next: () => Promise<Uint8Array | undefined>,
  ): Promise<ReadableStream<Uint8Array>> {
    if (await isDecodedByPlatform(format)) return decodeByPlatform(format, next);
    const { library, module } = await this.#load();
    return library.decodeInWasm(module, format, next);
  }

  #load(): Promise<{ library: Library; module: WebAssembly.Module }> {
    this.#loaded ??= this.#loadOnce().catch(error => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  async #loadOnce() {
    const library = await decoderPart.load();
    return { library, module: await library.loadDecoders(this.#source) };
  }
}

/** Whether the platform has the format, and refuses what follows the end: Node 20 ignores it. Of zstd no platform takes several frames yet. */
export function isDecodedByPlatform(format: Format): Promise<boolean> {
  let known = platformDecodes.get(format);
  if (!known) {
    known = refusesJunk(format);
    platformDecodes.set(format, known);
  }
  return known;
}

async function refusesJunk(format: Format): Promise<boolean> {
  const sample = withJunk[format];
  if (!sample) return false;
  let decoder: DecompressionStream;
  try {
    decoder = new DecompressionStream(format as CompressionFormat);
  } catch {
    return false;
  }
  const writer = decoder.writable.getWriter();
  const writing = Promise.allSettled([writer.write(Uint8Array.from(sample)), writer.close()]);
  const reader = decoder.readable.getReader();
  try {
    while (!(await reader.read()).done);
    return false;
  } catch {
    return true;
  } finally {
    await writing;
  }
}

function decodeByPlatform(
  format: Format,
  next: () => Promise<Uint8Array | undefined>,
): ReadableStream<Uint8Array> {
  const source = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = await next();
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const decoder = new DecompressionStream(format as CompressionFormat);
  return source.pipeThrough(decoder as ReadableWritablePair<Uint8Array, Uint8Array>);
}
