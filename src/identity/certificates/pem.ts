import { MtlsError } from '../../errors.js';
import { viewOf } from '../../util/bytes.js';
import { fromBase64, toBase64 } from '../../util/encoding.js';
import { textKind } from '../../util/text-kind.js';
import type { Certificate } from '../types.js';

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

/** Where a certificate or a list comes from, for messages: an option, or an address. */
export interface Origin {
  /** An option's name. */
  option: string;
  /** Without query and fragment: they may hold a token. */
  address?: string | undefined;
}

/**
 * The DER of each certificate in a PEM text (one or several, with other text or other blocks between them), in DER
 * bytes (one), or in a `Certificate`.
 *
 * @throws MtlsError ERR_CERT_MALFORMED when there is none, or a block is not base64; TypeError for another kind of value
 */
export function parsePemOrDer(
  source: string | BufferSource | Certificate,
  origin: Origin,
): Uint8Array<ArrayBuffer>[] {
  const bytes = viewOf(source);
  if (bytes && isDer(bytes)) return [bytes.slice()];
  const text = bytes ? new TextDecoder().decode(bytes) : source;
  if (typeof text === 'string') return certificatesIn(text, origin);
  const { der } = (text ?? {}) as Partial<Certificate>;
  if (der instanceof Uint8Array) return [der.slice() as Uint8Array<ArrayBuffer>];
  throw new TypeError(
    `"${origin.option}" must be a PEM string, DER bytes, a Certificate, a Blob or a Response`,
  );
}

function certificatesIn(text: string, origin: Origin): Uint8Array<ArrayBuffer>[] {
  const found = pemBlocks(text, ['CERTIFICATE', 'X509 CERTIFICATE']).map(fromBase64);
  if (found.length === 0) throw missingFrom(text, 'certificate', origin);
  return found.map(der => {
    if (!der) {
      const message = `A PEM block in ${placeOf(origin)} is not base64: get the file again.`;
      throw new MtlsError('ERR_CERT_MALFORMED', message);
    }
    return der;
  });
}

/** Says what a text is that should hold a certificate or a revocation list. */
export function missingFrom(text: string, wanted: string, origin: Origin): MtlsError {
  const place = placeOf(origin);
  const kind = text.trim() === '' ? 'empty' : (textKind(text) ?? 'text without a PEM block');
  const advice = origin.address
    ? 'Check the address, and that the file is there: many servers answer with a page when a file is missing'
    : 'Check where it comes from';
  const message = `There is no ${wanted} in ${place}: it is ${kind}. ${advice}.`;
  return new MtlsError('ERR_CERT_MALFORMED', message);
}

function placeOf({ option, address }: Origin): string {
  return address ? `the answer of ${address}` : `"${option}"`;
}
