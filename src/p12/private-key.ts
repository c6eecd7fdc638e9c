// What a private key says about itself (PKCS#8: RFC 5208, RFC 5958).
import * as asn1js from 'asn1js';
import {
  count,
  guarded,
  is,
  type Node,
  objectIdentifier,
  octetString,
  parse,
  sequence,
  Tag,
} from './asn1.js';

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
  /** Whether WebCrypto and TLS know this kind. */
  usable: boolean;
}

const usableKinds = ['RSA', 'ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'Ed25519'];

/** @throws MtlsError ERR_P12_MALFORMED when the bytes are no PKCS#8 */
export function readPrivateKey(pkcs8: Uint8Array<ArrayBuffer>): PrivateKeyInfo {
  const { oid, parameters } = parts(pkcs8);
  const keyAlgorithm = oid === EC ? `ECDSA ${curveName(parameters)}` : (algorithmNames[oid] ?? oid);
  return { keyAlgorithm, usable: usableKinds.includes(keyAlgorithm) };
}

function curveName(parameters: Node | undefined): string {
  if (!is(parameters, Tag.objectIdentifier)) return 'with explicit parameters';
  const oid = objectIdentifier(parameters);
  return curveNames[oid] ?? oid;
}

/**
 * The same key as every WebCrypto reads it: of version 0, without attributes and public key; and with rsaEncryption where a key is
 * restricted to RSASSA-PSS.
 */
export function plainPrivateKey(pkcs8: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { oid, algorithm, key } = parts(pkcs8);
  return encode([
    new asn1js.Integer({ value: 0 }),
    oid === RSASSA_PSS ? rsaEncryption() : algorithm,
    new asn1js.OctetString({ valueHex: key.slice().buffer }),
  ]);
}

/** A SubjectPublicKeyInfo, with rsaEncryption where the key is restricted to RSASSA-PSS. */
export function plainPublicKey(spki: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return guarded(() => {
    const [algorithm, key] = sequence(parse(spki));
    if (objectIdentifier(sequence(algorithm)[0]) !== RSASSA_PSS || !key) return spki;
    return encode([rsaEncryption(), key]);
  });
}

function parts(pkcs8: Uint8Array<ArrayBuffer>) {
  const [version, algorithm, key] = sequence(parse(pkcs8));
  count(version);
  const [oid, parameters] = sequence(algorithm);
  return { oid: objectIdentifier(oid), parameters, algorithm: algorithm as Node, key: octetString(key) };
}

function rsaEncryption(): Node {
  const value = [new asn1js.ObjectIdentifier({ value: RSA_ENCRYPTION }), new asn1js.Null()];
  return new asn1js.Sequence({ value });
}

function encode(value: Node[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new asn1js.Sequence({ value }).toBER());
}
