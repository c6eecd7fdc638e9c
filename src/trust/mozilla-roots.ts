import { type Asset, type AssetSource, Delivery } from '../engine/asset.js';
import { AssetLoader } from '../engine/asset-loader.js';

const asset: Asset = {
  option: 'mozillaRoots',
  subject: 'The Mozilla roots',
  file: 'mozilla-roots.bin',
  code: 'ERR_TRUST_ROOTS_LOAD',
};
const loader = /* @__PURE__ */ new AssetLoader<AssetSource, Uint8Array<ArrayBuffer>[]>(
  asset,
  read,
  () => new URL('./mozilla-roots.bin', import.meta.url),
);

/**
 * The certificates that Mozilla trusts to issue for servers, DER; loaded once for each source. Default: the configured source,
 * otherwise the file that comes with the package.
 *
 * @param option the option's name in messages
 * @throws MtlsError ERR_TRUST_ROOTS_LOAD; TypeError for another kind of value
 */
export function loadMozillaRoots(source?: AssetSource, option?: string): Promise<Uint8Array<ArrayBuffer>[]> {
  return loader.load(source, option);
}

async function read(source: AssetSource): Promise<Uint8Array<ArrayBuffer>[]> {
  const delivery = await Delivery.of(asset, source);
  const bytes = await delivery.bytes();
  const expected = '30 82 (certificates)';
  try {
    const roots = split(bytes);
    if (roots.length > 0) return roots;
  } catch (cause) {
    throw delivery.unexpected(bytes, expected, cause);
  }
  throw delivery.unexpected(bytes, expected);
}

const SEQUENCE = 0x30;
/** Each certificate is between 128 and 65,535 bytes long, so its length takes one octet or two after the first. */
const LONG_LENGTHS: Record<number, number> = { 129: 1, 130: 2 };

/** The certificates of a file that holds nothing else, one after the other. */
function split(bytes: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const certificates: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes.length; ) {
    const octets = bytes[at] === SEQUENCE ? LONG_LENGTHS[bytes[at + 1] ?? 0] : undefined;
    if (!octets) throw new TypeError('not a list of certificates');
    const header = 2 + octets;
    const length = bytes.subarray(at + 2, at + header).reduce((sum, octet) => sum * 256 + octet, 0);
    if (at + header + length > bytes.length) throw new TypeError('the list is cut short');
    certificates.push(bytes.slice(at, at + header + length));
    at += header + length;
  }
  return certificates;
}
