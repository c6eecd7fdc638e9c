import { type AssetSource, assetBytes } from '../engine/asset.js';
import { MtlsError } from '../errors.js';
import { viewOf } from '../util/bytes.js';

/** Where the Mozilla roots come from: an address, a response or their bytes. */
export type RootsSource = AssetSource;

let defaultRoots: Promise<Uint8Array<ArrayBuffer>[]> | undefined;

/**
 * The certificates that Mozilla trusts to issue for servers, DER. Without a source, those that come with the package, fetched once per
 * page; a failed attempt is not remembered.
 *
 * @throws MtlsError ERR_TRUST_ROOTS_LOAD
 */
export function loadMozillaRoots(source?: RootsSource): Promise<Uint8Array<ArrayBuffer>[]> {
  if (source !== undefined) return load(source);
  defaultRoots ??= load(new URL('./mozilla-roots.bin?no-inline', import.meta.url)).catch(error => {
    defaultRoots = undefined;
    throw error;
  });
  return defaultRoots;
}

async function load(source: RootsSource): Promise<Uint8Array<ArrayBuffer>[]> {
  try {
    const bytes = viewOf(await assetBytes(source, answer => new TypeError(answer)));
    const roots = bytes ? split(bytes) : [];
    if (roots.length > 0) return roots;
  } catch (cause) {
    throw failure({ cause });
  }
  throw failure();
}

function failure(options?: { cause: unknown }): MtlsError {
  const message = 'The Mozilla roots could not be loaded: check that mozilla-roots.bin is served.';
  return new MtlsError('ERR_TRUST_ROOTS_LOAD', message, options);
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
