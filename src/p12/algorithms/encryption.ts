import * as pkijs from 'pkijs';
import { count, guarded, is, type Node, octetString, sequence, Tag } from '../asn1/asn1.js';
import { damaged } from '../errors.js';
import { type Algorithm, algorithmOf, unsupportedAlgorithm } from './algorithm.js';
import { atLeastOne, keyDerivation, type Pbkdf2, type Scrypt, saltOf } from './key-derivation.js';

/** How something is encrypted under the password. */
export type Encryption = Pbes2 | Pbes1 | Pkcs12Pbe;

/** RFC 8018, section 6.2. */
export interface Pbes2 {
  kind: 'pbes2';
  derivation: Pbkdf2 | Scrypt;
  /** In CBC mode, but for AES-GCM. */
  cipher: 'AES' | 'AES-GCM' | '3DES' | 'DES' | 'RC2';
  keyBytes: number;
  /** Of RC2. */
  effectiveBits?: number;
  /** Of AES-GCM. */
  tagBytes?: number;
  iv: Uint8Array<ArrayBuffer>;
}

/** RFC 8018, section 6.1. */
export interface Pbes1 {
  kind: 'pbes1';
  hash: 'MD5' | 'SHA-1';
  cipher: 'DES' | 'RC2';
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
}

/** RFC 7292, appendix C. */
export interface Pkcs12Pbe {
  kind: 'pkcs12';
  cipher: '3DES' | '2-key 3DES' | 'RC2' | 'RC4';
  keyBytes: number;
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
}

const PBES2 = '1.2.840.113549.1.5.13';

const pkcs12Pbes: Record<string, Pick<Pkcs12Pbe, 'cipher' | 'keyBytes'>> = {
  '1.2.840.113549.1.12.1.1': { cipher: 'RC4', keyBytes: 16 },
  '1.2.840.113549.1.12.1.2': { cipher: 'RC4', keyBytes: 5 },
  '1.2.840.113549.1.12.1.3': { cipher: '3DES', keyBytes: 24 },
  '1.2.840.113549.1.12.1.4': { cipher: '2-key 3DES', keyBytes: 16 },
  '1.2.840.113549.1.12.1.5': { cipher: 'RC2', keyBytes: 16 },
  '1.2.840.113549.1.12.1.6': { cipher: 'RC2', keyBytes: 5 },
};

const pbes1s: Record<string, Pick<Pbes1, 'hash' | 'cipher'>> = {
  '1.2.840.113549.1.5.3': { hash: 'MD5', cipher: 'DES' },
  '1.2.840.113549.1.5.6': { hash: 'MD5', cipher: 'RC2' },
  '1.2.840.113549.1.5.10': { hash: 'SHA-1', cipher: 'DES' },
  '1.2.840.113549.1.5.11': { hash: 'SHA-1', cipher: 'RC2' },
};

const pbes2Ciphers: Record<string, Pick<Pbes2, 'cipher' | 'keyBytes'> & { ivBytes: number }> = {
  '2.16.840.1.101.3.4.1.2': { cipher: 'AES', keyBytes: 16, ivBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { cipher: 'AES', keyBytes: 24, ivBytes: 16 },
  '2.16.840.1.101.3.4.1.42': { cipher: 'AES', keyBytes: 32, ivBytes: 16 },
  '1.2.840.113549.3.7': { cipher: '3DES', keyBytes: 24, ivBytes: 8 },
  '1.3.14.3.2.7': { cipher: 'DES', keyBytes: 8, ivBytes: 8 },
};

/** The key's bytes; WebCrypto has no 192 bits in Chromium. */
const aesGcmKeys = new Map([
  ['2.16.840.1.101.3.4.1.6', 16],
  ['2.16.840.1.101.3.4.1.46', 32],
]);

const RC2_CBC = '1.2.840.113549.3.2';
/** RFC 8018, appendix B.2.3: what stands for the effective key bits below 256. */
const rc2Versions = new Map([
  [160, 40],
  [120, 64],
  [58, 128],
]);
const RC2_DEFAULT_KEY_BYTES = 16;

export function encryptionOf({ oid, parameters }: Algorithm): Encryption {
  if (oid === PBES2) return pbes2(parameters);
  const legacy = pkcs12Pbes[oid];
  if (legacy) return { kind: 'pkcs12', ...legacy, ...saltAndIterations(parameters) };
  const older = pbes1s[oid];
  if (older) return { kind: 'pbes1', ...older, ...saltAndIterations(parameters) };
  throw unsupportedAlgorithm(oid);
}

function saltAndIterations(parameters: Node | undefined) {
  const [salt, iterations] = sequence(parameters);
  return { salt: saltOf(salt), iterations: atLeastOne(count(iterations)) };
}

function pbes2(parameters: Node | undefined): Pbes2 {
  const { keyDerivationFunc, encryptionScheme } = guarded(
    () => new pkijs.PBES2Params({ schema: parameters }),
  );
  const { keyLength, ...derivation } = keyDerivation(algorithmOf(keyDerivationFunc));
  return { kind: 'pbes2', derivation, ...pbes2Cipher(algorithmOf(encryptionScheme), keyLength) };
}

function pbes2Cipher(
  { oid, parameters }: Algorithm,
  keyLength: number | undefined,
): Omit<Pbes2, 'kind' | 'derivation'> {
  if (oid === RC2_CBC) return rc2Cipher(parameters, keyLength);
  const gcmKeyBytes = aesGcmKeys.get(oid);
  if (gcmKeyBytes !== undefined) return gcmCipher(parameters, gcmKeyBytes);
  const cipher = pbes2Ciphers[oid];
  if (!cipher) throw unsupportedAlgorithm(oid);
  const { ivBytes, ...rest } = cipher;
  if (keyLength !== undefined && keyLength !== cipher.keyBytes)
    throw damaged('a key length does not fit its cipher');
  return { ...rest, iv: checkedIv(octetString(parameters), ivBytes) };
}

function rc2Cipher(parameters: Node | undefined, keyBytes = RC2_DEFAULT_KEY_BYTES) {
  const fields = is(parameters, Tag.octetString) ? [undefined, parameters] : sequence(parameters);
  const [version, iv] = fields.length > 1 ? fields : [undefined, fields[0]];
  const named = version ? count(version) : undefined;
  const effectiveBits = named === undefined ? 32 : (rc2Versions.get(named) ?? named);
  if (keyBytes < 1 || keyBytes > 128 || effectiveBits < 1 || effectiveBits > 1024)
    throw damaged('a key length does not fit its cipher');
  return { cipher: 'RC2' as const, keyBytes, effectiveBits, iv: checkedIv(octetString(iv), 8) };
}

const DEFAULT_TAG_BYTES = 12;

/** GCMParameters (RFC 5084, section 3.2). */
function gcmCipher(parameters: Node | undefined, keyBytes: number) {
  const [nonce, length] = sequence(parameters);
  const tagBytes = length ? count(length) : DEFAULT_TAG_BYTES;
  if (tagBytes < 12 || tagBytes > 16) throw damaged('an authentication tag has the wrong length');
  return { cipher: 'AES-GCM' as const, keyBytes, tagBytes, iv: octetString(nonce) };
}

function checkedIv(iv: Uint8Array<ArrayBuffer>, bytes: number): Uint8Array<ArrayBuffer> {
  if (iv.length !== bytes) throw damaged('an IV has the wrong length');
  return iv;
}
