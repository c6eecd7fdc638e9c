import * as pkijs from 'pkijs';
import {
  children,
  count,
  guarded,
  is,
  type Node,
  objectIdentifier,
  octetString,
  sequence,
  Tag,
} from './asn1.js';
import { damaged, unsupported } from './errors.js';

export type HashName =
  | 'MD5'
  | 'SHA-1'
  | 'SHA-224'
  | 'SHA-256'
  | 'SHA-384'
  | 'SHA-512'
  | 'SHA-512/224'
  | 'SHA-512/256';

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

export interface Pbkdf2 {
  kind: 'pbkdf2';
  /** Of the HMAC. */
  hash: HashName;
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
}

/** RFC 7914. */
export interface Scrypt {
  kind: 'scrypt';
  salt: Uint8Array<ArrayBuffer>;
  /** A power of two. */
  cost: number;
  blockSize: number;
  parallelization: number;
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

const hashes: Record<string, HashName> = {
  '1.2.840.113549.2.5': 'MD5',
  '1.3.14.3.2.26': 'SHA-1',
  '2.16.840.1.101.3.4.2.4': 'SHA-224',
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
  '2.16.840.1.101.3.4.2.5': 'SHA-512/224',
  '2.16.840.1.101.3.4.2.6': 'SHA-512/256',
};

const HMAC_SHA1 = '1.2.840.113549.2.7';

/** RFC 8018, appendix B.1. */
const hmacs: Record<string, HashName> = {
  '1.2.840.113549.2.6': 'MD5',
  [HMAC_SHA1]: 'SHA-1',
  '1.2.840.113549.2.8': 'SHA-224',
  '1.2.840.113549.2.9': 'SHA-256',
  '1.2.840.113549.2.10': 'SHA-384',
  '1.2.840.113549.2.11': 'SHA-512',
  '1.2.840.113549.2.12': 'SHA-512/224',
  '1.2.840.113549.2.13': 'SHA-512/256',
};

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

const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const PBMAC1 = '1.2.840.113549.1.5.14';
const SCRYPT = '1.3.6.1.4.1.11591.4.11';

/** What errors call the algorithms that are known but not read. */
const otherNames: Record<string, string> = {
  '1.2.840.113549.1.5.1': 'pbeWithMD2AndDES-CBC',
  '1.2.840.113549.1.5.4': 'pbeWithMD2AndRC2-CBC',
  '1.2.840.113549.2.2': 'MD2',
  '1.2.156.10197.1.401': 'SM3',
  '1.2.156.10197.1.104.2': 'SM4-CBC',
  '1.2.410.200004.1.4': 'SEED-CBC',
  '1.2.392.200011.61.1.1.1.2': 'Camellia-128-CBC',
  '1.2.392.200011.61.1.1.1.3': 'Camellia-192-CBC',
  '1.2.392.200011.61.1.1.1.4': 'Camellia-256-CBC',
  '1.2.643.2.2.9': 'GOST R 34.11-94',
  '1.2.643.2.2.21': 'GOST 28147-89',
  '1.2.643.7.1.1.2.2': 'GOST R 34.11-2012 (256 bits)',
  '1.2.643.7.1.1.2.3': 'GOST R 34.11-2012 (512 bits)',
  '1.2.643.7.1.1.4.1': 'HMAC GOST R 34.11-2012 (256 bits)',
  '1.2.643.7.1.1.4.2': 'HMAC GOST R 34.11-2012 (512 bits)',
  '1.3.36.3.2.1': 'RIPEMD-160',
  '2.16.840.1.101.3.4.1.26': 'AES-192-GCM',
  '2.16.840.1.101.3.4.2.7': 'SHA3-224',
  '2.16.840.1.101.3.4.2.8': 'SHA3-256',
  '2.16.840.1.101.3.4.2.9': 'SHA3-384',
  '2.16.840.1.101.3.4.2.10': 'SHA3-512',
};

function unsupportedAlgorithm(oid: string): Error {
  const name = otherNames[oid];
  return unsupported(name ? `${name} (${oid})` : `the algorithm ${oid}`);
}

export interface Algorithm {
  oid: string;
  parameters: Node | undefined;
}

export function algorithm(node: Node | undefined): Algorithm {
  return guarded(() => algorithmOf(new pkijs.AlgorithmIdentifier({ schema: node })));
}

export function algorithmOf({ algorithmId, algorithmParams }: pkijs.AlgorithmIdentifier): Algorithm {
  return { oid: algorithmId, parameters: algorithmParams as Node | undefined };
}

/** How the MAC is keyed and made. */
export type MacScheme =
  | { kind: 'pkcs12'; hash: HashName }
  | { kind: 'pbmac1'; hash: HashName; derivation: Pbkdf2 | Scrypt; keyBytes: number };

/** The algorithm of a MAC's DigestInfo (RFC 7292, section 4; RFC 9579 for PBMAC1). */
export function macScheme({ oid, parameters }: Algorithm): MacScheme {
  if (oid === PBMAC1) return pbmac1(parameters);
  const hash = hashes[oid];
  if (!hash) throw unsupportedAlgorithm(oid);
  return { kind: 'pkcs12', hash };
}

/** RFC 9579, section 4: the key's length must be there. */
function pbmac1(parameters: Node | undefined): MacScheme {
  const [derivationNode, macNode] = sequence(parameters);
  const { keyLength, ...derivation } = keyDerivation(algorithm(derivationNode));
  const { oid } = algorithm(macNode);
  const hash = hmacs[oid];
  if (!hash) throw unsupportedAlgorithm(oid);
  if (keyLength === undefined || keyLength < 1 || keyLength > MAX_MAC_KEY_BYTES)
    throw damaged('the length of its MAC key is missing or senseless');
  return { kind: 'pbmac1', hash, derivation, keyBytes: keyLength };
}

const MAX_MAC_KEY_BYTES = 128;

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

/** Longer than any honest salt. */
const MAX_SALT_BYTES = 1_024;

export function saltOf(node: Node | undefined): Uint8Array<ArrayBuffer> {
  const salt = octetString(node);
  if (salt.length > MAX_SALT_BYTES) throw damaged('a salt is too long');
  return salt;
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

type KeyDerivation = (Pbkdf2 | Scrypt) & { keyLength: number | undefined };

function keyDerivation({ oid, parameters }: Algorithm): KeyDerivation {
  if (oid === PBKDF2) return pbkdf2(parameters);
  if (oid === SCRYPT) return scrypt(parameters);
  throw unsupportedAlgorithm(oid);
}

/** PBKDF2-params (RFC 8018, appendix A.2). Not by PKI.js, which reads large iteration counts as 0. */
function pbkdf2(parameters: Node | undefined): KeyDerivation {
  const [salt, iterations, ...optional] = sequence(parameters);
  if (is(salt, Tag.sequence)) throw unsupported('PBKDF2 with a salt from another source');
  const keyLength = is(optional[0], Tag.integer) ? count(optional.shift()) : undefined;
  const prf = optional[0] ? objectIdentifier(children(optional[0])[0]) : HMAC_SHA1;
  const hash = hmacs[prf];
  if (!hash) throw unsupportedAlgorithm(prf);
  return {
    kind: 'pbkdf2',
    hash,
    salt: saltOf(salt),
    iterations: atLeastOne(count(iterations)),
    keyLength,
  };
}

/** scrypt-params (RFC 7914, section 7.1). */
function scrypt(parameters: Node | undefined): KeyDerivation {
  const [salt, cost, blockSize, parallelization, keyLength] = sequence(parameters);
  const read = {
    cost: count(cost),
    blockSize: atLeastOne(count(blockSize)),
    parallelization: atLeastOne(count(parallelization)),
  };
  if (read.cost < 2 || !Number.isInteger(Math.log2(read.cost)))
    throw damaged("scrypt's cost is not a power of two");
  return {
    kind: 'scrypt',
    salt: saltOf(salt),
    ...read,
    keyLength: keyLength ? count(keyLength) : undefined,
  };
}

export function atLeastOne(iterations: number): number {
  if (iterations < 1) throw damaged('an iteration count is zero');
  return iterations;
}
