// PKCS#12 files (RFC 7292) put together by hand: any password bytes at any place, any bags, any order.
import { createCipheriv, createHash, createHmac, type KeyObject, pbkdf2Sync, randomBytes } from 'node:crypto';
import { type Der, element, objectIdentifier, sequence, setOf, Tag } from '../../src/enroll/der.js';
import { withNull } from './forged-certificates.js';

const BAGS = '1.2.840.113549.1.12.10.1';
const integer = (value: number) => {
  const hex = value.toString(16);
  return element(Tag.integer, Buffer.from(hex.length % 2 ? `0${hex}` : `00${hex}`, 'hex'));
};
const explicit = (tag: number, content: Uint8Array) => element(0xa0 + tag, content);
const octets = (content: Uint8Array) => element(Tag.octetString, content);

/** BMPString with its two zero bytes (RFC 7292, appendix B.1). */
export function bmp(password: string): Uint8Array {
  return Buffer.from(`${password}\0`, 'utf16le').swap16();
}

/** Each byte made a character of a BMPString, with the two zero bytes behind them. */
export function widened(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([...bytes, 0].flatMap(byte => [0, byte]));
}

export interface BagAttributes {
  name?: string;
  keyId?: Uint8Array;
}

function bag(type: number, value: Uint8Array, { name, keyId }: BagAttributes = {}): Der {
  const attributes = [
    ...(name === undefined
      ? []
      : [attribute('1.2.840.113549.1.9.20', element(0x1e, Buffer.from(name, 'utf16le').swap16()))]),
    ...(keyId ? [attribute('1.2.840.113549.1.9.21', octets(keyId))] : []),
  ];
  const set = attributes.length > 0 ? [setOf(attributes)] : [];
  return sequence(objectIdentifier(`${BAGS}.${type}`), explicit(0, value), ...set);
}

const attribute = (oid: string, value: Uint8Array) => sequence(objectIdentifier(oid), setOf([value]));

export const certificateBag = (der: Uint8Array, attributes?: BagAttributes) =>
  bag(3, sequence(objectIdentifier('1.2.840.113549.1.9.22.1'), explicit(0, octets(der))), attributes);

/** @param pkcs8 in clear */
export const keyBag = (pkcs8: Uint8Array, attributes?: BagAttributes) => bag(1, pkcs8, attributes);

export const shroudedKeyBag = (encrypted: Encrypted, attributes?: BagAttributes) =>
  bag(2, sequence(encrypted.algorithm, octets(encrypted.ciphertext)), attributes);

export const nestedBag = (bags: readonly Der[]) => bag(6, sequence(...bags));

export interface Encrypted {
  algorithm: Der;
  ciphertext: Uint8Array;
}

/** PBES2 with AES-256-CBC and HMAC-SHA-256, from the bytes of a password. */
export function pbes2(plaintext: Uint8Array, password: Uint8Array | string, iterations = 1_000): Encrypted {
  const [salt, iv] = [randomBytes(16), randomBytes(16)];
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(password, salt, iterations, 32, 'sha256'), iv);
  const prf = withNull(objectIdentifier('1.2.840.113549.2.9'));
  const derivation = sequence(
    objectIdentifier('1.2.840.113549.1.5.12'),
    sequence(octets(salt), integer(iterations), prf),
  );
  const scheme = sequence(objectIdentifier('2.16.840.1.101.3.4.1.42'), octets(iv));
  return {
    algorithm: sequence(objectIdentifier('1.2.840.113549.1.5.13'), sequence(derivation, scheme)),
    ciphertext: Buffer.concat([cipher.update(plaintext), cipher.final()]),
  };
}

/** pbeWithSHAAnd3-KeyTripleDES-CBC, from the bytes of a BMPString. */
export function tripleDes(plaintext: Uint8Array, password: Uint8Array, iterations = 1_000): Encrypted {
  const salt = randomBytes(8);
  const derive = (purpose: number, bytes: number) =>
    pkcs12Key({ hash: 'sha1', block: 64, purpose, password, salt, iterations, bytes });
  const cipher = createCipheriv('des-ede3-cbc', derive(1, 24), derive(2, 8));
  return {
    algorithm: sequence(
      objectIdentifier('1.2.840.113549.1.12.1.3'),
      sequence(octets(salt), integer(iterations)),
    ),
    ciphertext: Buffer.concat([cipher.update(plaintext), cipher.final()]),
  };
}

/** A part of a file: its bags in clear, or encrypted. */
export type Part = readonly Der[] | Encrypted;

export const encrypt = (bags: readonly Der[], by: (plaintext: Uint8Array) => Encrypted) =>
  by(sequence(...bags));

const DATA = objectIdentifier('1.2.840.113549.1.7.1');

function contentInfo(part: Part): Der {
  if (!('ciphertext' in part)) return sequence(DATA, explicit(0, octets(sequence(...part))));
  const content = sequence(DATA, part.algorithm, element(0x80, part.ciphertext));
  const encrypted = sequence(element(Tag.integer, Uint8Array.of(0)), content);
  return sequence(objectIdentifier('1.2.840.113549.1.7.6'), explicit(0, encrypted));
}

/** @param mac the password's bytes as the derivation of RFC 7292 takes them; undefined for a file without a MAC */
export function oddPkcs12(
  parts: readonly Part[],
  { mac, iterations = 1_000 }: { mac?: Uint8Array; iterations?: number } = {},
): Uint8Array<ArrayBuffer> {
  const content = sequence(...parts.map(contentInfo));
  const authSafe = sequence(DATA, explicit(0, octets(content)));
  return sequence(integer(3), authSafe, ...(mac ? [macData(content, mac, iterations)] : []));
}

function macData(content: Uint8Array, password: Uint8Array, iterations: number): Der {
  const salt = randomBytes(8);
  const key = pkcs12Key({ hash: 'sha256', block: 64, purpose: 3, password, salt, iterations, bytes: 32 });
  const digest = createHmac('sha256', key).update(content).digest();
  const algorithm = withNull(objectIdentifier('2.16.840.1.101.3.4.2.1'));
  return sequence(sequence(algorithm, octets(digest)), octets(salt), integer(iterations));
}

interface Pkcs12Derivation {
  hash: 'sha1' | 'sha256';
  /** Of the hash, in bytes. */
  block: number;
  purpose: number;
  password: Uint8Array;
  salt: Uint8Array;
  iterations: number;
  bytes: number;
}

/** RFC 7292, appendix B.2. */
function pkcs12Key({ hash, block, purpose, password, salt, iterations, bytes }: Pkcs12Derivation): Buffer {
  const filled = (source: Uint8Array) =>
    Buffer.alloc(block * Math.ceil(source.length / block), Buffer.from(source));
  let input = Buffer.concat([filled(salt), password.length > 0 ? filled(password) : Buffer.alloc(0)]);
  const found: Buffer[] = [];
  for (let have = 0; have < bytes; have += found.at(-1)?.length ?? bytes) {
    let digest: Buffer = Buffer.concat([Buffer.alloc(block, purpose), input]);
    for (let i = 0; i < iterations; i++) digest = createHash(hash).update(digest).digest();
    found.push(digest);
    const addend = BigInt(`0x${Buffer.alloc(block, digest).toString('hex')}`) + 1n;
    const next = Buffer.from(input);
    for (let at = 0; at < input.length; at += block) {
      const sum = BigInt(`0x${input.subarray(at, at + block).toString('hex')}`) + addend;
      const hex = (sum % (1n << BigInt(8 * block))).toString(16).padStart(2 * block, '0');
      next.write(hex, at, 'hex');
    }
    input = next;
  }
  return Buffer.concat(found).subarray(0, bytes);
}

export function pkcs8Of(key: KeyObject): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(key.export({ type: 'pkcs8', format: 'der' }));
}
