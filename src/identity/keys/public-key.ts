// Public keys (SubjectPublicKeyInfo; RFC 5280, section 4.1.2.7) in the one encoding that every WebCrypto reads. Certificates leave
// parameters out or have too many, put zeros in front of numbers, and compress points.

import { toHex } from '../../util/encoding.js';
import { type Der, elementsOf, encode, firstElementOf, tagged } from '../der.js';
import { uncompressedPoint } from './ec-point.js';

export const Tag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  sequence: 0x30,
} as const;

/** The contents of object identifiers, in hex. */
const RSA_ENCRYPTION = '2a864886f70d010101';
const RSASSA_PSS = '2a864886f70d01010a';
const EC = '2a8648ce3d0201';
const ED25519 = '2b6570';
const curves: Record<string, string> = {
  'P-256': '2a8648ce3d030107',
  'P-384': '2b81040022',
  'P-521': '2b81040023',
};
const curveNames = new Map(Object.entries(curves).map(([name, oid]) => [oid, name]));

/** RFC 8017, appendix A.1: the parameters are NULL. */
export const rsaEncryption = tagged(Tag.sequence, identifier(RSA_ENCRYPTION), tagged(Tag.null));
/** RFC 8410, section 3: there are no parameters. */
export const ed25519 = tagged(Tag.sequence, identifier(ED25519));
/** RFC 5480, section 2.1.1: the parameters name the curve, as WebCrypto does. */
export const ecPublicKey = (namedCurve: string): Der =>
  tagged(Tag.sequence, identifier(EC), identifier(curves[namedCurve] ?? ''));

/**
 * The same public key in its plain form: rsaEncryption with NULL, also for a key that is restricted to RSASSA-PSS; numbers
 * without needless zeros; an uncompressed point; Ed25519 without parameters. These are the same bytes for the same key, therefore.
 * Other kinds, and what cannot be read, stay as they are.
 */
export function plainPublicKey(spki: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  try {
    const plain = plainKey(spki);
    return plain ? encode(plain) : spki;
  } catch {
    return spki;
  }
}

/** Undefined, or throws, when it is of another kind or cannot be read. */
function plainKey(spki: Uint8Array): Der | undefined {
  const [algorithm, bits] = elementsOf(firstElementOf(spki).content);
  const [oid, parameters] = elementsOf(algorithm?.content);
  // A BIT STRING has the number of its unused bits in front.
  if (bits?.tag !== Tag.bitString || bits.content[0] !== 0) return undefined;
  const key = bits.content.subarray(1);
  switch (oid && toHex(oid.content)) {
    case RSA_ENCRYPTION:
    case RSASSA_PSS: {
      const [modulus, exponent] = elementsOf(firstElementOf(key).content);
      return modulus && exponent && rsaPublicKey(modulus.content, exponent.content);
    }
    case EC: {
      const namedCurve = parameters && curveNames.get(toHex(parameters.content));
      const point = namedCurve && uncompressedPoint(key, namedCurve);
      return point ? publicKeyInfo(ecPublicKey(namedCurve), point) : undefined;
    }
    case ED25519:
      return publicKeyInfo(ed25519, key);
    default:
      return undefined;
  }
}

/** A SubjectPublicKeyInfo of RSA, from the contents of INTEGERs. */
export function rsaPublicKey(modulus: Uint8Array, exponent: Uint8Array): Der {
  const key = tagged(Tag.sequence, positiveInteger(modulus), positiveInteger(exponent));
  return publicKeyInfo(rsaEncryption, key);
}

/** An INTEGER that is no negative number, whatever zeros stand in front of its content, or are missing there. */
export function positiveInteger(content: Uint8Array): Der {
  const start = content.findIndex(octet => octet !== 0);
  const digits = start < 0 ? Uint8Array.of(0) : content.subarray(start);
  // The highest bit is the sign.
  const sign = Uint8Array.from((digits[0] ?? 0) >= 0x80 ? [0] : []);
  return tagged(Tag.integer, sign, digits);
}

/** SubjectPublicKeyInfo. */
export function publicKeyInfo(algorithm: Der, key: Der): Der {
  return tagged(Tag.sequence, algorithm, tagged(Tag.bitString, Uint8Array.of(0), key));
}

function identifier(hex: string): Der {
  return tagged(
    Tag.objectIdentifier,
    Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16)),
  );
}
