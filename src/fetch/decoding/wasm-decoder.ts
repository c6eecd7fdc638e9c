import type { Asset } from '../../engine/asset.js';
import { AssetLoader } from '../../engine/asset-loader.js';
import { realEnvironment, wasiImports } from '../../engine/wasi.js';
import { compileWasm, type WasmSource } from '../../engine/wasm-source.js';

/** What a body can be decoded from, as `DecompressionStream` calls it. */
export type Format = 'gzip' | 'deflate' | 'deflate-raw' | 'brotli' | 'zstd';

/** In the order of wasm/decoders/src/lib.rs. */
const FORMATS: readonly Format[] = ['gzip', 'deflate', 'deflate-raw', 'brotli', 'zstd'];
/** An instance whose memory a large window has made larger is not kept for the next body: memory cannot shrink. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
const MAX_KEPT_INSTANCES = 4;

interface Exports {
  memory: WebAssembly.Memory;
  _initialize?(): void;
  decoders_input(): number;
  decoders_input_size(): number;
  decoders_output(): number;
  decoders_open(format: number): number;
  decoders_decode(start: number, end: number): number;
  decoders_consumed(): number;
  decoders_produced(): number;
  decoders_is_complete(): number;
  decoders_close(): void;
}

const asset: Asset = {
  option: 'decoders',
  subject: 'The decoders',
  file: 'decoders.wasm',
  code: 'ERR_HTTP_DECODING',
};
const loader = /* @__PURE__ */ new AssetLoader<WasmSource, WebAssembly.Module>(
  asset,
  source => compileWasm(asset, source),
  () => new URL('../../../wasm/decoders.wasm', import.meta.url),
);
const kept = new WeakMap<WebAssembly.Module, Exports[]>();

/**
 * Loads and compiles the decoders, once for each source. Default: the configured one, otherwise the one that comes with the package.
 *
 * @throws MtlsError ERR_HTTP_DECODING
 */
export function loadDecoders(source?: WasmSource): Promise<WebAssembly.Module> {
  return loader.load(source);
}

/**
 * Decodes a body as it is read, at most 64 KiB at a time. Reads fail when it is damaged, cut short, or goes on after its end.
 *
 * @param next gives the body piece by piece, undefined at its end
 */
export async function decodeInWasm(
  module: WebAssembly.Module,
  format: Format,
  next: () => Promise<Uint8Array | undefined>,
): Promise<ReadableStream<Uint8Array>> {
  const decoder = new WasmDecoder(module, await instanceOf(module), format);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const piece = decoder.read();
          if (piece) return controller.enqueue(piece);
          const input = await next();
          if (input) {
            decoder.write(input);
          } else {
            decoder.end();
            return controller.close();
          }
        }
      },
      cancel: () => decoder.close(),
    },
    { highWaterMark: 0 },
  );
}

/** One body's decoder, alone in its instance: what goes wrong there, no other body sees. */
class WasmDecoder {
  #module: WebAssembly.Module;
  #exports: Exports;
  #closed = false;
  /** What has come and does not fit into the instance's buffer yet. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Where in the buffer lies what is not decoded yet. */
  #start = 0;
  #end = 0;

  constructor(module: WebAssembly.Module, exports: Exports, format: Format) {
    this.#module = module;
    this.#exports = exports;
    if (exports.decoders_open(FORMATS.indexOf(format)) !== 0) throw new TypeError(`no decoder of ${format}`);
  }

  /** Takes input; only when `read` has nothing more to give. */
  write(input: Uint8Array): void {
    this.#rest = input;
  }

  /** A piece of the decoded body; undefined: more input is needed. */
  read(): Uint8Array | undefined {
    // While the next input was awaited, the reader may have gone.
    while (!this.#closed) {
      if (this.#start === this.#end) this.#fill();
      if (this.#exports.decoders_decode(this.#start, this.#end) !== 0) throw new TypeError('it is damaged');
      const consumed = this.#exports.decoders_consumed();
      const produced = this.#exports.decoders_produced();
      this.#start += consumed;
      if (produced > 0) return this.#output(produced);
      if (consumed === 0) {
        if (this.#start < this.#end) throw new TypeError('it does not go on');
        return undefined;
      }
    }
    return undefined;
  }

  /** The body ends here. */
  end(): void {
    if (this.#closed) return;
    if (this.#exports.decoders_is_complete() !== 1) throw new TypeError('it is cut short');
    this.close();
  }

  /** After a failure it is not called: then the instance is not used again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#exports.decoders_close();
    const instances = kept.get(this.#module) ?? [];
    const isSmall = this.#exports.memory.buffer.byteLength <= MAX_KEPT_BYTES;
    if (isSmall && instances.length < MAX_KEPT_INSTANCES) instances.push(this.#exports);
    kept.set(this.#module, instances);
  }

  #fill(): void {
    const piece = this.#rest.subarray(0, this.#exports.decoders_input_size());
    this.#rest = this.#rest.subarray(piece.length);
    new Uint8Array(this.#exports.memory.buffer, this.#exports.decoders_input(), piece.length).set(piece);
    this.#start = 0;
    this.#end = piece.length;
  }

  #output(length: number): Uint8Array {
    const pointer = this.#exports.decoders_output();
    return new Uint8Array(this.#exports.memory.buffer, pointer, length).slice();
  }
}

async function instanceOf(module: WebAssembly.Module): Promise<Exports> {
  const last = kept.get(module)?.pop();
  if (last) return last;
  let exports: Exports | undefined;
  const memory = () => exports?.memory ?? new WebAssembly.Memory({ initial: 0 });
  const instance = await WebAssembly.instantiate(module, {
    wasi_snapshot_preview1: wasiImports({ memory, environment: () => realEnvironment }),
  });
  exports = instance.exports as unknown as Exports;
  exports._initialize?.();
  return exports;
}
