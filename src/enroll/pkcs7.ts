// PKCS#7 with certificates only (RFC 5652, section 5; RFC 7030, section 4.2.3). Loaded on demand, with asn1js: authorities
// write it in BER with indefinite lengths as well.
import * as asn1js from 'asn1js';
import { MtlsError } from '../errors.js';

type Node = asn1js.AsnType & { valueBlock: { value?: Node[] } };

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const CONTEXT = 3;
const UNIVERSAL = 1;
const SEQUENCE = 16;
/** Deeper and more than any honest answer. */
const limits = { maxDepth: 32, maxNodes: 100_000 };

/** The DER of each certificate. @throws MtlsError ERR_CERT_MALFORMED */
export function certificatesOfPkcs7(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  let certificates: Uint8Array<ArrayBuffer>[];
  try {
    certificates = read(bytes);
  } catch (cause) {
    throw new MtlsError('ERR_CERT_MALFORMED', 'This is not a PKCS#7 with certificates.', { cause });
  }
  if (certificates.length === 0)
    throw new MtlsError('ERR_CERT_MALFORMED', 'There is no certificate in this PKCS#7.');
  return certificates;
}

function read(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const { offset, result } = asn1js.fromBER(bytes, limits);
  if (offset === -1) throw new RangeError(result.error);
  const [type, content] = children(result);
  if (!(type instanceof asn1js.ObjectIdentifier) || type.valueBlock.toString() !== SIGNED_DATA)
    throw new RangeError('not SignedData');
  const [signedData] = children(content);
  const set = children(signedData).find(it => it.idBlock.tagClass === CONTEXT && it.idBlock.tagNumber === 0);
  if (!set) return [];
  // The other kinds of CertificateChoices have context tags.
  return children(set)
    .filter(it => it.idBlock.tagClass === UNIVERSAL && it.idBlock.tagNumber === SEQUENCE)
    .map(it => new Uint8Array(it.valueBeforeDecodeView));
}

function children(node: asn1js.AsnType | undefined): Node[] {
  const value = (node as Node | undefined)?.valueBlock.value;
  if (!Array.isArray(value)) throw new RangeError('something else was expected');
  return value;
}
