import { MtlsError } from '../../errors.js';
import { isA, isBlob } from '../../platform.js';
import type { Origin } from './pem.js';

/** What holds a file's bytes, to be read first. */
export type Container = Blob | Response;

/**
 * What a `Response` or a `Blob` (a `File`, too) holds, and where it comes from; any other source as it is.
 *
 * @throws MtlsError ERR_CERT_MALFORMED where it cannot be read; TypeError for a body that has been read
 */
export async function contentOf<T>(
  source: T | Container,
  option: string,
): Promise<{ content: T | Uint8Array<ArrayBuffer>; origin: Origin }> {
  if (isA(source, Response)) {
    const address = source.url.replace(/[?#].*/s, '') || undefined;
    const place = address ?? `The response in "${option}"`;
    if (source.bodyUsed) throw new TypeError(`"${option}" must be a Response whose body has not been read`);
    if (!source.ok) {
      const message = `${place} answered ${source.status}: check the address, and whether the page may read it.`;
      throw new MtlsError('ERR_CERT_MALFORMED', message);
    }
    return { content: await bytesOf(source, place), origin: { option, address } };
  }
  if (isBlob(source))
    return { content: await bytesOf(source, `The file in "${option}"`), origin: { option } };
  return { content: source as T, origin: { option } };
}

async function bytesOf(container: Container, place: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await container.arrayBuffer());
  } catch (cause) {
    throw new MtlsError('ERR_CERT_MALFORMED', `${place} could not be read: try again.`, { cause });
  }
}
