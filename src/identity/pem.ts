import { MtlsError } from '../errors.js';
import { viewOf } from '../util/bytes.js';
import { fromBase64, toBase64 } from '../util/encoding.js';
import type { Certificate } from './types.js';

// Textual encodings of PKIX structures (RFC 7468).

/** A block with this label, e.g. `CERTIFICATE`, and a final newline. */
export function toPem(label: string, der: Uint8Array): string {
  const lines = toBase64(der).replace(/.{64}(?!$)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** The contents, in base64, of each block that has one of these labels; other text and other blocks are skipped. */
export function pemBlocks(text: string, labels: readonly string[]): string[] {
  const label = `(?:${labels.join('|')})`;
  const blocks = text.matchAll(new RegExp(`-----BEGIN ${label}-----([^-]*)-----END ${label}-----`, 'g'));
  return Array.from(blocks, ([, content = '']) => content);
}

/** Whether bytes begin as DER does: `0` is the same octet, but no PEM text begins with it, and no base64 of a certificate. */
export function isDer(bytes: Uint8Array): boolean {
  return bytes[0] === 0x30;
}

/**
 * The DER of each certificate in a PEM text (one or several, with other text or other blocks between them), in DER
 * bytes (one), or in a `Certificate`.
 *
 * @throws MtlsError ERR_CERT_MALFORMED when there is none, or a block is not base64
 */
export function parsePemOrDer(source: string | BufferSource | Certificate): Uint8Array<ArrayBuffer>[] {
  const bytes = viewOf(source);
  if (bytes && isDer(bytes)) return [bytes.slice()];
  const text = bytes ? new TextDecoder().decode(bytes) : source;
  if (typeof text === 'string') return certificatesIn(text);
  const { der } = (text ?? {}) as Partial<Certificate>;
  if (der instanceof Uint8Array) return [der.slice() as Uint8Array<ArrayBuffer>];
  throw new TypeError('a certificate is a PEM string, DER bytes or a Certificate');
}

function certificatesIn(text: string): Uint8Array<ArrayBuffer>[] {
  const found = pemBlocks(text, ['CERTIFICATE', 'X509 CERTIFICATE']).map(fromBase64);
  if (found.length === 0)
    throw new MtlsError(
      'ERR_CERT_MALFORMED',
      'There is no certificate in this text: a PEM block is missing.',
    );
  return found.map(der => {
    if (!der) throw new MtlsError('ERR_CERT_MALFORMED', 'A PEM block is not base64.');
    return der;
  });
}
