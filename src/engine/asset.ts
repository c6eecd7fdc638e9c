import { isA, platformFetch } from '../platform.js';

/** Where a file of the package comes from: an address, a response or its bytes. */
export type AssetSource = URL | string | Response | BufferSource;

/**
 * The file as a response that is being received, or as its bytes.
 *
 * @param refused makes the error for a server that answers otherwise, of a clause that says how
 */
export async function openAsset(
  source: AssetSource,
  refused: (answer: string) => Error,
): Promise<Response | BufferSource> {
  const isAddress = typeof source === 'string' || source instanceof URL;
  const file = isAddress ? await bytesOfFile(source) : undefined;
  if (file) return file;
  const response = isAddress ? await platformFetch(source) : source;
  if (isA(response, Response) && !response.ok)
    throw refused(`${response.url.replace(/[?#].*/s, '')} answered ${response.status}`);
  return response;
}

/** As `openAsset`, once all of it is there. */
export async function assetBytes(
  source: AssetSource,
  refused: (answer: string) => Error,
): Promise<BufferSource> {
  const opened = await openAsset(source, refused);
  return isA(opened, Response) ? opened.arrayBuffer() : opened;
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
