import { MtlsError, type MtlsErrorCode } from '../errors.js';
import { baseAddress, isA, platformFetch } from '../platform.js';
import { viewOf } from '../util/bytes.js';

/** Where a file of this package comes from: an address, a `Response` or its bytes. Relative addresses are relative to the page. */
export type AssetSource = URL | string | Response | BufferSource;

/** A file of the package that is loaded when it is needed. */
export interface Asset {
  /** Its option in `configure`. */
  option: 'engine' | 'decoders' | 'mozillaRoots';
  /** The subject of messages, e.g. `The engine`. */
  subject: string;
  file: string;
  /** The code of the error when it cannot be loaded. */
  code: MtlsErrorCode;
}

/** What came back for an asset, and the errors that say so. */
export class Delivery {
  #asset: Asset;
  #address: string | undefined;
  /** What is still being received; undefined when all bytes are there. */
  readonly response: Response | undefined;
  #bytes: BufferSource | undefined;

  private constructor(asset: Asset, address: string | undefined, content?: Response | BufferSource) {
    this.#asset = asset;
    this.#address = address;
    if (isA(content, Response)) this.response = content;
    else this.#bytes = content;
  }

  /** @throws MtlsError with the asset's code */
  static async of(asset: Asset, source: AssetSource): Promise<Delivery> {
    const isAddress = typeof source === 'string' || source instanceof URL;
    const delivery = isAddress
      ? await Delivery.#fetched(asset, String(source))
      : new Delivery(asset, undefined, source);
    const { response } = delivery;
    if (response && !response.ok) throw delivery.failure('', delivery.#placement());
    if (response?.bodyUsed)
      throw delivery.failure('its body was read before', 'Give it once, to configure().');
    return delivery;
  }

  /** The error for a bundle that does not know where it is, as every script that is not a module. */
  static unaddressed(asset: Asset, cause: unknown): MtlsError {
    const { file, option } = asset;
    return new Delivery(asset, undefined).failure(
      'this bundle does not know its own address',
      `Copy ${file} of browser-mtls beside the bundle, and set its address with configure({ ${option} }).`,
      cause,
    );
  }

  static async #fetched(asset: Asset, source: string): Promise<Delivery> {
    if (!URL.canParse(source, baseAddress()))
      throw new Delivery(asset, undefined).failure(
        `"${shown(source)}" is not a valid address`,
        `Set one with configure({ ${asset.option} }).`,
      );
    const address = new URL(source, baseAddress());
    const pending = new Delivery(asset, shown(address.href));
    try {
      return new Delivery(asset, shown(address.href), await (bytesOfFile(address) ?? platformFetch(address)));
    } catch (cause) {
      throw pending.failure(
        'the request failed',
        "Check that the file is served, and that the page's Content-Security-Policy allows it in connect-src.",
        cause,
      );
    }
  }

  /** All of it. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    try {
      this.#bytes ??= await this.response?.arrayBuffer();
    } catch (cause) {
      throw this.failure('the transfer failed', 'Try again.', cause);
    }
    return viewOf(this.#bytes) ?? new Uint8Array(0);
  }

  /** The error for bytes of another kind. */
  unexpected(bytes: Uint8Array, expected: string, cause?: unknown): MtlsError {
    const found = [...bytes.subarray(0, 4)].map(byte => byte.toString(16).padStart(2, '0')).join(' ');
    const isPage =
      found.startsWith('3c') || /^text\/html/i.test(this.response?.headers.get('content-type') ?? '');
    if (isPage) return this.failure(`found ${found}: an HTML page`, this.#pageRemedy(), cause);
    return this.failure(
      found ? `found ${found}, not ${expected}` : 'found nothing',
      this.#placement(),
      cause,
    );
  }

  /** @param remedy a sentence */
  failure(problem: string, remedy: string, cause?: unknown): MtlsError {
    const from = this.#address === undefined ? '' : ` from ${this.#address}`;
    const what = [this.#answer(), problem].filter(it => it !== '').join(', ');
    const message = `${this.#asset.subject} could not be loaded${from}: ${what}. ${remedy}`;
    return new MtlsError(this.#asset.code, message, cause === undefined ? undefined : { cause });
  }

  #answer(): string {
    if (!this.response) return '';
    const { status, headers, redirected, url } = this.response;
    const type = headers.get('content-type') ?? 'no Content-Type';
    return `${redirected ? shown(url) : 'the server'} answered ${status} (${type})`;
  }

  #placement(): string {
    const { file, option } = this.#asset;
    return `Serve ${file} of browser-mtls there, or set its address with configure({ ${option} }).`;
  }

  /** Servers and bundlers send an application's page for files that they do not have. */
  #pageRemedy(): string {
    const isVite = this.#address?.includes('/node_modules/') ?? false;
    if (!isVite) return `The server has no such file and sends a page instead. ${this.#placement()}`;
    return "Add optimizeDeps: { exclude: ['browser-mtls'] } to vite.config: the development server of Vite 5 to 7 moved the module without its files.";
  }
}

/** An address without what may be secret, or long. */
function shown(address: string): string {
  const [plain = ''] = address.split(/[?#]/, 1);
  if (/^(data|blob):/i.test(plain)) return `${plain.slice(0, 5)}…`;
  return plain.replace(/^([\w+.-]+:\/\/)[^/]*@/, '$1').slice(0, 300);
}

/** In Node a package's files have file: addresses, which Node's fetch does not read. */
function bytesOfFile(address: URL): Promise<BufferSource> | undefined {
  const node = (globalThis as { process?: Partial<NodeModules> }).process?.getBuiltinModule;
  if (!node || address.protocol !== 'file:') return undefined;
  return node('node:fs/promises').readFile(address);
}

interface NodeModules {
  getBuiltinModule(name: 'node:fs/promises'): {
    readFile(url: URL): Promise<Uint8Array<ArrayBuffer>>;
  };
}
