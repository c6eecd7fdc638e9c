import { baseAddress } from '../platform.js';
import { type Asset, Delivery } from './asset.js';
import { checkSource, configuredSource } from './configure.js';
import type { WasmSource } from './wasm-source.js';

/** Loads an asset once for each source. A failed attempt with an address is not remembered. */
export class AssetLoader<Source extends WasmSource, Loaded> {
  #asset: Asset;
  #read: (source: Source) => Promise<Loaded>;
  #ownAddress: () => URL;
  #byAddress = new Map<string, Promise<Loaded>>();
  #byObject = new WeakMap<object, Promise<Loaded>>();

  /** @param ownAddress where the asset is beside the module; throws in a bundle that does not know its own address */
  constructor(asset: Asset, read: (source: Source) => Promise<Loaded>, ownAddress: () => URL) {
    this.#asset = asset;
    this.#read = read;
    this.#ownAddress = ownAddress;
  }

  /**
   * @param source Default: the configured one, otherwise the file beside the module
   * @param name what messages call the source
   * @throws MtlsError with the asset's code; TypeError for another kind of value
   */
  async load(source?: Source, name: string = this.#asset.option): Promise<Loaded> {
    if (source !== undefined) checkSource(source, { name, isWasm: this.#asset.option !== 'mozillaRoots' });
    const configured = configuredSource(this.#asset.option) as Source | undefined;
    const chosen = source ?? configured ?? (this.#besideModule() as Source);
    if (typeof chosen === 'object' && !(chosen instanceof URL)) return this.#loadObject(chosen);
    return this.#loadAddress(chosen);
  }

  #loadObject(source: Source & object): Promise<Loaded> {
    const loaded = this.#byObject.get(source) ?? this.#read(source);
    this.#byObject.set(source, loaded);
    return loaded;
  }

  #loadAddress(source: Source): Promise<Loaded> {
    const address = String(source);
    const key = URL.canParse(address, baseAddress()) ? new URL(address, baseAddress()).href : address;
    const known = this.#byAddress.get(key);
    if (known) return known;
    const loaded = this.#read(source);
    this.#byAddress.set(key, loaded);
    loaded.catch(() => this.#byAddress.delete(key));
    return loaded;
  }

  #besideModule(): string {
    try {
      return unmoved(String(this.#ownAddress()));
    } catch (cause) {
      throw Delivery.unaddressed(this.#asset, cause);
    }
  }
}

/** In development Vite 5 to 7 move the module to `node_modules/.vite/deps`, without its files. */
function unmoved(address: string): string {
  return address.replace(
    /\/node_modules\/\.vite\/(?:\w+\/)?([\w-]+\.(?:wasm|bin))$/,
    '/node_modules/browser-mtls/dist/$1',
  );
}
