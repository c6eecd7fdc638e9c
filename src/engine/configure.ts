import { isA } from '../platform.js';
import { viewOf } from '../util/bytes.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import type { AssetSource } from './asset.js';
import type { WasmSource } from './wasm-source.js';

/** Where the files of this package are, as `configure` takes it. */
export interface AssetSources {
  /** `engine.wasm`. Default: found beside the module. */
  engine?: WasmSource;
  /** `decoders.wasm`. Default: found beside the module. */
  decoders?: WasmSource;
  /** `mozilla-roots.bin`. Default: found beside the module. */
  mozillaRoots?: AssetSource;
}

const names: OptionNames<AssetSources> = { engine: true, decoders: true, mozillaRoots: true };
const configured = new Map<string, WasmSource>();
let isUsed = false;

/**
 * Sets where the files of this package come from, for bundlers that do not find them (`docs/embedding.md`). Call it before
 * everything else; each worker is configured separately. Relative addresses are relative to the page.
 *
 * @throws TypeError for a wrong option, or once a file is asked for
 */
export function configure(sources: AssetSources): void {
  checkOptionNames(sources, names);
  const given = Object.entries(sources).filter(([, source]) => source !== undefined);
  for (const [name, source] of given) checkSource(source, { name, isWasm: name !== 'mozillaRoots' });
  if (isUsed) throw new TypeError('"configure" must be called before the first use of this library');
  for (const [name, source] of given) configured.set(name, source);
}

/** The configured source of a file; from now on nothing can be configured. */
export function configuredSource(name: keyof AssetSources): WasmSource | undefined {
  isUsed = true;
  return configured.get(name);
}

/** @throws TypeError */
export function checkSource(source: unknown, { name, isWasm }: { name: string; isWasm: boolean }): void {
  if (typeof source === 'string' || source instanceof URL || isA(source, Response) || viewOf(source)) return;
  const isModule = isA(source, WebAssembly.Module, 'WebAssembly.Module');
  if (isModule && isWasm) return;
  const others = isWasm ? 'bytes or a WebAssembly.Module' : 'or bytes';
  throw new TypeError(`"${name}" must be an address, a Response, ${others}`);
}
