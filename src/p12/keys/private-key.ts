// What a private key says about itself (PKCS#8: RFC 5208, RFC 5958).
import { type Der, encode, tagged } from '../../identity/der.js';
import { uncompressedPoint } from '../../identity/keys/ec-point.js';
import {
  Tag as DerTag,
  ecPublicKey,
  ed25519,
  positiveInteger,
  publicKeyInfo,
  rsaEncryption,
  rsaPublicKey,
} from '../../identity/keys/public-key.js';
import {
  bitString,
  children,
  count,
  integer,
  is,
  isContext,
  type Node,
  objectIdentifier,
  octetString,
  parse,
  sequence,
  Tag,
  unexpected,
} from '../asn1/asn1.js';
import { firstElement } from '../asn1/ber-scan.js';

const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';
const RSASSA_PSS = '1.2.840.113549.1.1.10';
const EC = '1.2.840.10045.2.1';

/** The kinds, named as in `Certificate.keyAlgorithm`; `RSA` for any size. */
const algorithmNames: Record<string, string> = {
  [RSA_ENCRYPTION]: 'RSA',
  [RSASSA_PSS]: 'RSA',
  '1.2.840.113549.1.1.7': 'RSAES-OAEP',
  '1.2.840.10040.4.1': 'DSA',
  '1.2.840.113549.1.3.1': 'Diffie-Hellman',
  '1.2.840.10046.2.1': 'X9.42 Diffie-Hellman',
  '1.3.101.110': 'X25519',
  '1.3.101.111': 'X448',
  '1.3.101.112': 'Ed25519',
  '1.3.101.113': 'Ed448',
  '1.2.643.2.2.19': 'GOST R 34.10-2001',
  '1.2.643.7.1.1.1.1': 'GOST R 34.10-2012 (256 bits)',
  '1.2.643.7.1.1.1.2': 'GOST R 34.10-2012 (512 bits)',
  '1.2.156.10197.1.301': 'SM2',
  '2.16.840.1.101.3.4.3.17': 'ML-DSA-44',
  '2.16.840.1.101.3.4.3.18': 'ML-DSA-65',
  '2.16.840.1.101.3.4.3.19': 'ML-DSA-87',
};

const curveNames: Record<string, string> = {
  '1.2.840.10045.3.1.7': 'P-256',
  '1.3.132.0.34': 'P-384',
  '1.3.132.0.35': 'P-521',
  '1.3.132.0.10': 'secp256k1',
  '1.3.132.0.33': 'P-224',
  '1.2.840.10045.3.1.1': 'P-192',
  '1.2.156.10197.1.301': 'SM2',
  ...numberedCurves('1.3.36.3.3.2.8.1.1', 1, brainpoolNames()),
  // SEC 2, appendix A.2: the prime and binary curves that nobody else names.
  ...numberedCurves('1.3.132.0', 1, ['sect163k1', 'sect163r1', 'sect239k1', 'sect113r1', 'sect113r2']),
  ...numberedCurves('1.3.132.0', 6, ['secp112r1', 'secp112r2', 'secp160r1', 'secp160k1']),
  ...numberedCurves('1.3.132.0', 15, ['sect163r2', 'sect283k1', 'sect283r1']),
  ...numberedCurves('1.3.132.0', 22, ['sect131r1', 'sect131r2', 'sect193r1', 'sect193r2']),
  ...numberedCurves('1.3.132.0', 26, ['sect233k1', 'sect233r1', 'secp128r1', 'secp128r2', 'secp160r2']),
  ...numberedCurves('1.3.132.0', 31, ['secp192k1', 'secp224k1']),
  ...numberedCurves('1.3.132.0', 36, ['sect409k1', 'sect409r1', 'sect571k1', 'sect571r1']),
};

/** Curves whose object identifiers differ in the last number alone. */
function numberedCurves(arc: string, first: number, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, i) => [`${arc}.${first + i}`, name]));
}

/** RFC 5639, section 4.1. */
function brainpoolNames(): string[] {
  const sizes = [160, 192, 224, 256, 320, 384, 512];
  return sizes.flatMap(bits => [`brainpoolP${bits}r1`, `brainpoolP${bits}t1`]);
}

export interface PrivateKeyInfo {
  /** For people, e.g. `RSA`, `ECDSA P-256`, `Ed448`; the object identifier of one that is not known. */
  keyAlgorithm: string;
  /**
   * The key as every WebCrypto reads it, DER; undefined when WebCrypto and TLS do not know this kind: of version 0, without
   * attributes and public key, with the parameters that its kind has, and numbers of the right length.
   */
  plain?: Der;
  /** Its SubjectPublicKeyInfo in plain form, where it says. */
  publicKey?: Uint8Array<ArrayBuffer>;
}

/** @throws MtlsError ERR_P12_MALFORMED when the bytes are no PKCS#8 */
export function readPrivateKey(pkcs8: Uint8Array<ArrayBuffer>): PrivateKeyInfo {
  const [version, algorithm, octets] = sequence(parse(firstElement(pkcs8)));
  count(version);
  const [identifier, parameters] = sequence(algorithm);
  const oid = objectIdentifier(identifier);
  const key = octetString(octets);
  if (oid === EC) return readEcKey(parameters, key);
  const keyAlgorithm = algorithmNames[oid] ?? oid;
  if (keyAlgorithm === 'RSA') return readRsaKey(key);
  return { keyAlgorithm, ...(keyAlgorithm === 'Ed25519' && { plain: plainEd25519(key) }) };
}

/** RFC 5208, section 5. */
function privateKeyInfo(algorithm: Der, key: Der): Der {
  const version = tagged(DerTag.integer, Uint8Array.of(0));
  return tagged(DerTag.sequence, version, algorithm, tagged(DerTag.octetString, key));
}

/** Of RSAPrivateKey (RFC 8017, appendix A.1.2): the version, modulus, exponents, prime factors and what speeds things up. */
const RSA_NUMBERS = 9;

function readRsaKey(key: Uint8Array<ArrayBuffer>): PrivateKeyInfo {
  const fields = sequence(parse(firstElement(key)));
  const [version, ...numbers] = fields.slice(0, RSA_NUMBERS).map(integer);
  const [modulus, exponent] = numbers;
  if (!version || !modulus || !exponent) throw unexpected();
  const publicKey = encode(rsaPublicKey(modulus, exponent));
  if (fields.length > RSA_NUMBERS) return { keyAlgorithm: 'RSA with more than two primes', publicKey };
  // A page of WebKitGTK ends when it signs with a prime that is zero.
  if (numbers.length < RSA_NUMBERS - 1 || numbers.some(it => withoutZeros(it).length === 0))
    return { keyAlgorithm: 'RSA without its prime factors', publicKey };
  const plain = tagged(DerTag.sequence, ...[version, ...numbers].map(positiveInteger));
  return { keyAlgorithm: 'RSA', plain: privateKeyInfo(rsaEncryption, plain), publicKey };
}

/** In bytes: of the curves that WebCrypto and TLS know. */
const scalarBytes: Record<string, number> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 };

/** ECPrivateKey (RFC 5915, section 3). Some writers name the curve inside alone. */
function readEcKey(parameters: Node | undefined, key: Uint8Array<ArrayBuffer>): PrivateKeyInfo {
  const [version, scalar, ...optional] = sequence(parse(firstElement(key)));
  count(version);
  const inside = optional.find(it => isContext(it, 0));
  const namesCurve = is(parameters, Tag.objectIdentifier) || !inside;
  const curve = curveName(namesCurve ? parameters : children(inside)[0]);
  const bytes = scalarBytes[curve];
  if (!bytes) return { keyAlgorithm: `ECDSA ${curve}` };
  const digits = withoutZeros(octetString(scalar));
  if (digits.length > bytes) throw unexpected();
  const octets = tagged(DerTag.octetString, new Uint8Array(bytes - digits.length), digits);
  const plain = tagged(DerTag.sequence, tagged(DerTag.integer, Uint8Array.of(1)), octets);
  const own = optional.find(it => isContext(it, 1));
  const point = own && uncompressedPoint(bitString(children(own)[0]), curve);
  return {
    keyAlgorithm: `ECDSA ${curve}`,
    plain: privateKeyInfo(ecPublicKey(curve), plain),
    ...(point && { publicKey: encode(publicKeyInfo(ecPublicKey(curve), point)) }),
  };
}

function curveName(parameters: Node | undefined): string {
  if (!is(parameters, Tag.objectIdentifier)) return 'with explicit parameters';
  const oid = objectIdentifier(parameters);
  return curveNames[oid] ?? oid;
}

const SEED_BYTES = 32;

/** CurvePrivateKey (RFC 8410, section 7), or the seed alone. */
function plainEd25519(key: Uint8Array<ArrayBuffer>): Der {
  const seed = key.length === SEED_BYTES ? key : octetString(parse(firstElement(key)));
  if (seed.length !== SEED_BYTES) throw unexpected();
  return privateKeyInfo(ed25519, tagged(DerTag.octetString, seed));
}

function withoutZeros(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex(octet => octet !== 0);
  return bytes.subarray(start < 0 ? bytes.length : start);
}
