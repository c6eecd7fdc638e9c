import {
  children,
  count,
  is,
  type Node,
  objectIdentifier,
  octetString,
  sequence,
  Tag,
} from '../asn1/asn1.js';
import { damaged, unsupported } from '../errors.js';
import { type Algorithm, unsupportedAlgorithm } from './algorithm.js';
import { type HashName, HMAC_SHA1, hmacs } from './hashes.js';

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

const PBKDF2 = '1.2.840.113549.1.5.12';
const SCRYPT = '1.3.6.1.4.1.11591.4.11';

export type KeyDerivation = (Pbkdf2 | Scrypt) & { keyLength: number | undefined };

export function keyDerivation({ oid, parameters }: Algorithm): KeyDerivation {
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

/** Longer than any honest salt. */
const MAX_SALT_BYTES = 1_024;

export function saltOf(node: Node | undefined): Uint8Array<ArrayBuffer> {
  const salt = octetString(node);
  if (salt.length > MAX_SALT_BYTES) throw damaged('a salt is too long');
  return salt;
}

export function atLeastOne(iterations: number): number {
  if (iterations < 1) throw damaged('an iteration count is zero');
  return iterations;
}
