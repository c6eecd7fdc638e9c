import { MtlsError } from '../../errors.js';
import { toBase64 } from '../../util/encoding.js';

/** Of several algorithms, the strongest counts. */
const algorithms = ['sha256', 'sha384', 'sha512'] as const;
type Algorithm = (typeof algorithms)[number];

interface Digest {
  algorithm: Algorithm;
  value: string;
}

/**
 * Compares a body with what `integrity` says (Subresource Integrity, section 3.3). What names no known algorithm holds for
 * every body.
 *
 * @throws MtlsError ERR_HTTP_INTEGRITY
 */
export async function checkIntegrity(bytes: Uint8Array<ArrayBuffer>, integrity: string): Promise<void> {
  const digests = strongest(parse(integrity));
  const [first] = digests;
  if (!first) return;
  const name = first.algorithm.replace('sha', 'SHA-');
  const actual = toBase64(new Uint8Array(await crypto.subtle.digest(name, bytes)));
  if (digests.some(({ value }) => value === unpadded(actual))) return;
  throw new MtlsError(
    'ERR_HTTP_INTEGRITY',
    `HTTP: the body is not the one that integrity names: its ${name} is ${actual}.`,
  );
}

/** A redirect that is not followed shows no body, and so not the one that was asked for (Fetch standard, "main fetch"). */
export function noBodyToCheck(): MtlsError {
  return new MtlsError(
    'ERR_HTTP_INTEGRITY',
    'HTTP: the server redirects, so that there is no body to compare with integrity: leave one of integrity and redirect: "manual" out.',
  );
}

function parse(integrity: string): Digest[] {
  return integrity.split(/[\t\n\f\r ]+/).flatMap(item => {
    const [, algorithm = '', value = ''] =
      /^(sha256|sha384|sha512)-([A-Za-z0-9+/_-]+=*)(?:\?.*)?$/.exec(item) ?? [];
    if (!value) return [];
    const standard = unpadded(value).replace(/-/g, '+').replace(/_/g, '/');
    return [{ algorithm: algorithm as Algorithm, value: standard }];
  });
}

function strongest(digests: Digest[]): Digest[] {
  const best = Math.max(...digests.map(({ algorithm }) => algorithms.indexOf(algorithm)));
  return digests.filter(({ algorithm }) => algorithms.indexOf(algorithm) === best);
}

function unpadded(value: string): string {
  return value.replace(/=+$/, '');
}
