// Certificates to the octet, where openssl would not write them: any name, serial number, date and extension.
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  bitString,
  type Der,
  element,
  objectIdentifier,
  sequence,
  setOf,
  Tag,
  text,
} from '../../src/enroll/der.js';
import { elementsOf, firstElementOf } from '../../src/identity/der.js';
import type { KeyPair } from './openssl-pki.js';

export const StringTag = {
  utf8: 0x0c,
  numeric: 0x12,
  printable: 0x13,
  teletex: 0x14,
  ia5: 0x16,
  universal: 0x1c,
  bmp: 0x1e,
} as const;

/** An attribute: the arcs of its type behind 2.5.4, and its value as it is encoded. */
export interface Attribute {
  type: number;
  tag: number;
  value: Uint8Array;
}

export interface ForgedOptions {
  /** DER. */
  subject: Der;
  /** Default: the subject of `by`. */
  issuer?: Der;
  /** None: it signs itself. */
  by?: Forged;
  /** Default: one of its own. */
  key?: KeyObject;
  keyKind?: KeyKind;
  /** Default: that of the key. */
  spki?: Der;
  /** The content of the INTEGER. Default: 1. */
  serial?: Uint8Array;
  extensions?: Der[];
  /** DER of the two times. Default: yesterday and in thirty days. */
  validity?: [Der, Der];
  /** Default: 3. */
  version?: 1 | 3;
  /** What stands behind the extensions. */
  more?: Der[];
  /** AlgorithmIdentifier of the signature. Default: the right one. */
  algorithm?: Der;
}

export interface Forged extends KeyPair {
  der: Der;
  subject: Der;
  privateKey: KeyObject;
  spki: Der;
}

const curves = { p256: 'P-256', p384: 'P-384' } as const;
const ED25519 = '1.3.101.112';
const RSA_WITH_SHA256 = '1.2.840.113549.1.1.11';
const ECDSA_WITH = { sha256: '1.2.840.10045.4.3.2', sha384: '1.2.840.10045.4.3.3' } as const;

export function forge(options: ForgedOptions): Forged {
  const { subject, by, serial = Uint8Array.of(1), extensions = [], version = 3, more = [] } = options;
  const privateKey = options.key ?? makeKey(options.keyKind);
  const { spki = spkiOf(privateKey) } = options;
  const signer = by?.privateKey ?? privateKey;
  const { hash, algorithm: own } = signatureOf(signer);
  const { algorithm = own } = options;
  const toBeSigned = sequence(
    ...(version === 3 ? [element(0xa0, element(Tag.integer, Uint8Array.of(2)))] : []),
    element(Tag.integer, serial),
    algorithm,
    options.issuer ?? by?.subject ?? subject,
    sequence(...(options.validity ?? [utcTime(-1), utcTime(30)])),
    subject,
    spki,
    ...(extensions.length > 0 ? [element(0xa3, sequence(...extensions))] : []),
    ...more,
  );
  const der = sequence(toBeSigned, algorithm, bitString(new Uint8Array(sign(hash, toBeSigned, signer))));
  const body = Buffer.from(der).toString('base64');
  const cert = `-----BEGIN CERTIFICATE-----\n${body.replace(/.{64}(?!$)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { der, cert, key, subject, privateKey, spki };
}

/** A revocation list, DER, that is good for a week. */
export function forgeRevocationList(
  by: Forged,
  {
    issuer = by.subject,
    revoked,
    extensions = [],
  }: { issuer?: Der; revoked: Uint8Array[]; extensions?: Der[] },
): Der {
  const { hash, algorithm } = signatureOf(by.privateKey);
  const entries = revoked.map(serial => sequence(element(Tag.integer, serial), utcTime(-1)));
  const toBeSigned = sequence(
    element(Tag.integer, Uint8Array.of(1)),
    algorithm,
    issuer,
    ...[utcTime(-1), utcTime(7)],
    ...(entries.length > 0 ? [sequence(...entries)] : []),
    element(
      0xa0,
      sequence(
        extension('2.5.29.20', element(Tag.integer, Uint8Array.of(1))),
        extension('2.5.29.35', sequence(element(0x80, Uint8Array.of(1)))),
        ...extensions,
      ),
    ),
  );
  const signature = sign(hash, toBeSigned, by.privateKey);
  return sequence(toBeSigned, algorithm, bitString(new Uint8Array(signature)));
}

type KeyKind = keyof typeof curves | 'rsa';

export function makeKey(kind: KeyKind = 'p256'): KeyObject {
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync('ec', { namedCurve: curves[kind] }).privateKey;
}

/** How a key signs certificates. */
function signatureOf(key: KeyObject): { hash: string | null; algorithm: Der } {
  if (key.asymmetricKeyType === 'ed25519')
    return { hash: null, algorithm: sequence(objectIdentifier(ED25519)) };
  if (key.asymmetricKeyType === 'rsa')
    return { hash: 'sha256', algorithm: withNull(objectIdentifier(RSA_WITH_SHA256)) };
  const hash = key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'sha384' : 'sha256';
  return { hash, algorithm: sequence(objectIdentifier(ECDSA_WITH[hash])) };
}

/** An AlgorithmIdentifier whose parameters are NULL. */
export function withNull(oid: Der): Der {
  return sequence(oid, element(Tag.null));
}

/** SubjectPublicKeyInfo. */
export function spkiOf(privateKey: KeyObject): Der {
  const publicKey = createPublicKey(privateKey as never);
  return new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
}

/** SubjectPublicKeyInfo of a certification request (RFC 2986, section 4.1). */
export function publicKeyOf(request: Uint8Array): Der {
  const inside = (der: Uint8Array) => elementsOf(firstElementOf(der).content);
  return inside(inside(request)[0]?.whole ?? request)[2]?.whole as Der;
}

/** A name of RDNs, each of one attribute or several. */
export function name(...rdns: (Attribute | Attribute[])[]): Der {
  return sequence(
    ...rdns.map(rdn =>
      setOf(
        [rdn]
          .flat()
          .map(({ type, tag, value }) => sequence(objectIdentifier(`2.5.4.${type}`), element(tag, value))),
      ),
    ),
  );
}

export const COMMON_NAME = 3;
export const ORGANIZATION_NAME = 10;

export function attribute(type: number, value: string, tag: number = StringTag.utf8): Attribute {
  return { type, tag, value: encoded(value, tag) };
}

export function commonName(value: string, tag: number = StringTag.utf8): Der {
  return name(attribute(COMMON_NAME, value, tag));
}

/** A text as a type of string has it. */
export function encoded(value: string, tag: number): Uint8Array {
  switch (tag) {
    case StringTag.utf8:
      return new TextEncoder().encode(value);
    case StringTag.bmp:
      return new Uint8Array(Buffer.from(value, 'utf16le').swap16());
    case StringTag.universal:
      return new Uint8Array(
        Array.from(value).flatMap(it => {
          const code = it.codePointAt(0) ?? 0;
          return [code >>> 24, (code >>> 16) & 255, (code >>> 8) & 255, code & 255];
        }),
      );
    default:
      return Uint8Array.from(value, it => it.charCodeAt(0));
  }
}

/** Days from now. */
export function utcTime(days: number): Der {
  const stamp = new Date(Date.now() + days * 86_400_000).toISOString().replace(/^..|[-:T]|\..*/g, '');
  return text(0x17, `${stamp}Z`);
}

export function generalizedTime(days: number): Der {
  const stamp = new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\..*/g, '');
  return text(0x18, `${stamp}Z`);
}

export function extension(oid: string, value: Uint8Array, critical = false): Der {
  return sequence(
    objectIdentifier(oid),
    ...(critical ? [element(Tag.boolean, Uint8Array.of(0xff))] : []),
    element(Tag.octetString, value),
  );
}

export function basicConstraints(authority: boolean, { critical = true, pathLength = -1 } = {}): Der {
  const value = sequence(
    ...(authority ? [element(Tag.boolean, Uint8Array.of(0xff))] : []),
    ...(pathLength >= 0 ? [element(Tag.integer, Uint8Array.of(pathLength))] : []),
  );
  return extension('2.5.29.19', value, critical);
}

/** Bits by number (RFC 5280 section 4.2.1.3), 0 to 7. */
export function keyUsage(...bits: number[]): Der {
  const octet = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0);
  const unused = bits.length === 0 ? 0 : 7 - Math.max(...bits);
  return extension('2.5.29.15', element(Tag.bitString, Uint8Array.of(unused, octet)), true);
}

export function dnsNames(names: string[], critical = false): Der {
  return extension('2.5.29.17', sequence(...names.map(it => text(0x82, it))), critical);
}

export function extendedKeyUsage(...purposes: string[]): Der {
  return extension('2.5.29.37', sequence(...purposes.map(objectIdentifier)));
}

export function subjectKeyId(id: Uint8Array): Der {
  return extension('2.5.29.14', element(Tag.octetString, id));
}

export function authorityKeyId(id: Uint8Array): Der {
  return extension('2.5.29.35', sequence(element(0x80, id)));
}

/** SHA-1 of a key, as RFC 5280 section 4.2.1.2 proposes it. */
export function keyIdOf({ spki }: Forged): Uint8Array {
  return createHash('sha1').update(spki).digest();
}

export const AUTHORITY: Der[] = [basicConstraints(true), keyUsage(5, 6)];
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
