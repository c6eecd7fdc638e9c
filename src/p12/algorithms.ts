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
import { malformed, unsupported } from './errors.js';

export type HashName = 'SHA-1' | 'SHA-224' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** How something is encrypted under the password. */
export type Encryption = Pbes2 | Pkcs12Pbe;

/** RFC 8018, section 6.2, with PBKDF2. */
export interface Pbes2 {
  kind: 'pbes2';
  /** PBKDF2's HMAC. */
  hash: HashName;
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
  cipher: 'AES' | '3DES';
  keyBytes: number;
  iv: Uint8Array<ArrayBuffer>;
}

/** RFC 7292, appendix C. */
export interface Pkcs12Pbe {
  kind: 'pkcs12';
  cipher: '3DES' | '2-key 3DES' | 'RC2';
  keyBytes: number;
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
}

const hashes: Record<string, HashName> = {
  '1.3.14.3.2.26': 'SHA-1',
  '2.16.840.1.101.3.4.2.4': 'SHA-224',
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
};

const HMAC_SHA1 = '1.2.840.113549.2.7';

/** Those that WebCrypto's PBKDF2 has. */
const pbkdf2Hashes: Record<string, HashName> = {
  [HMAC_SHA1]: 'SHA-1',
  '1.2.840.113549.2.9': 'SHA-256',
  '1.2.840.113549.2.10': 'SHA-384',
  '1.2.840.113549.2.11': 'SHA-512',
};

const pkcs12Pbes: Record<string, Pick<Pkcs12Pbe, 'cipher' | 'keyBytes'>> = {
  '1.2.840.113549.1.12.1.3': { cipher: '3DES', keyBytes: 24 },
  '1.2.840.113549.1.12.1.4': { cipher: '2-key 3DES', keyBytes: 16 },
  '1.2.840.113549.1.12.1.5': { cipher: 'RC2', keyBytes: 16 },
  '1.2.840.113549.1.12.1.6': { cipher: 'RC2', keyBytes: 5 },
};

const pbes2Ciphers: Record<string, Pick<Pbes2, 'cipher' | 'keyBytes'> & { ivBytes: number }> = {
  '2.16.840.1.101.3.4.1.2': { cipher: 'AES', keyBytes: 16, ivBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { cipher: 'AES', keyBytes: 24, ivBytes: 16 },
  '2.16.840.1.101.3.4.1.42': { cipher: 'AES', keyBytes: 32, ivBytes: 16 },
  '1.2.840.113549.3.7': { cipher: '3DES', keyBytes: 24, ivBytes: 8 },
};

const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';

/** What errors call the algorithms that are known but not read. */
const otherNames: Record<string, string> = {
  '1.2.840.113549.1.5.1': 'pbeWithMD2AndDES-CBC',
  '1.2.840.113549.1.5.3': 'pbeWithMD5AndDES-CBC',
  '1.2.840.113549.1.5.10': 'pbeWithSHA1AndDES-CBC',
  '1.2.840.113549.1.5.11': 'pbeWithSHA1AndRC2-CBC',
  '1.2.840.113549.1.5.14': 'PBMAC1',
  '1.2.840.113549.1.12.1.1': 'pbeWithSHAAnd128BitRC4',
  '1.2.840.113549.1.12.1.2': 'pbeWithSHAAnd40BitRC4',
  '1.2.840.113549.2.5': 'MD5',
  '1.2.840.113549.2.8': 'PBKDF2 with HMAC-SHA-224',
  '1.2.840.113549.2.12': 'PBKDF2 with HMAC-SHA-512/224',
  '1.2.840.113549.2.13': 'PBKDF2 with HMAC-SHA-512/256',
  '1.2.840.113549.3.2': 'RC2-CBC in PBES2',
  '1.3.6.1.4.1.11591.4.11': 'scrypt',
  '1.3.14.3.2.7': 'DES-CBC',
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
  return guarded(() => {
    const { algorithmId, algorithmParams } = new pkijs.AlgorithmIdentifier({ schema: node });
    return { oid: algorithmId, parameters: algorithmParams as Node | undefined };
  });
}

/** The hash of a MAC's DigestInfo. */
export function macHash({ oid }: Algorithm): HashName {
  const hash = hashes[oid];
  if (!hash) throw unsupportedAlgorithm(oid);
  return hash;
}

export function encryptionOf({ oid, parameters }: Algorithm): Encryption {
  const legacy = pkcs12Pbes[oid];
  if (legacy) {
    const [salt, iterations] = sequence(parameters);
    return { kind: 'pkcs12', ...legacy, salt: octetString(salt), iterations: atLeastOne(count(iterations)) };
  }
  if (oid !== PBES2) throw unsupportedAlgorithm(oid);
  return pbes2(parameters);
}

function pbes2(parameters: Node | undefined): Pbes2 {
  const { keyDerivationFunc, encryptionScheme } = guarded(
    () => new pkijs.PBES2Params({ schema: parameters }),
  );
  const cipher = pbes2Ciphers[encryptionScheme.algorithmId];
  if (!cipher) throw unsupportedAlgorithm(encryptionScheme.algorithmId);
  if (keyDerivationFunc.algorithmId !== PBKDF2) throw unsupportedAlgorithm(keyDerivationFunc.algorithmId);
  const { ivBytes, ...rest } = cipher;
  const iv = octetString(encryptionScheme.algorithmParams as Node | undefined);
  if (iv.length !== ivBytes) throw malformed('The file is damaged: an IV has the wrong length.');
  const { keyLength, ...derivation } = pbkdf2(keyDerivationFunc.algorithmParams as Node | undefined);
  if (keyLength !== undefined && keyLength !== cipher.keyBytes)
    throw malformed('The file is damaged: a key length does not fit its cipher.');
  return { kind: 'pbes2', ...derivation, ...rest, iv };
}

/** PBKDF2-params (RFC 8018, appendix A.2). Not by PKI.js, which reads large iteration counts as 0. */
function pbkdf2(parameters: Node | undefined) {
  const [salt, iterations, ...optional] = sequence(parameters);
  if (is(salt, Tag.sequence)) throw unsupported('PBKDF2 with a salt from another source');
  const keyLength = is(optional[0], Tag.integer) ? count(optional.shift()) : undefined;
  const prf = optional[0] ? objectIdentifier(children(optional[0])[0]) : HMAC_SHA1;
  const hash = pbkdf2Hashes[prf];
  if (!hash) throw unsupportedAlgorithm(prf);
  return { hash, salt: octetString(salt), iterations: atLeastOne(count(iterations)), keyLength };
}

export function atLeastOne(iterations: number): number {
  if (iterations < 1) throw malformed('The file is damaged: an iteration count is zero.');
  return iterations;
}
