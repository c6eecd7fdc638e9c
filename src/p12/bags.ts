// The bags inside a SafeContents (RFC 7292, section 4.2).
import { toHex } from '../identity/encoding.js';
import { algorithm, encryptionOf } from './algorithms.js';
import {
  children,
  explicit,
  is,
  type Node,
  objectIdentifier,
  octetString,
  octets,
  parse,
  sequence,
  Tag,
} from './asn1.js';
import { malformed } from './errors.js';
import type { Pkcs12Limits } from './limits.js';
import type { Encrypted } from './structure.js';

interface Attributes {
  friendlyName?: string;
  /** localKeyId, lower-case hex. */
  keyId?: string;
}

export interface KeyBag extends Attributes {
  /** PKCS#8 in clear, or encrypted. */
  key: Uint8Array<ArrayBuffer> | Encrypted;
}

export interface CertificateBag extends Attributes {
  der: Uint8Array<ArrayBuffer>;
}

export interface Bags {
  keys: KeyBag[];
  certificates: CertificateBag[];
}

const KEY = '1.2.840.113549.1.12.10.1.1';
const SHROUDED_KEY = '1.2.840.113549.1.12.10.1.2';
const CERTIFICATE = '1.2.840.113549.1.12.10.1.3';
const SAFE_CONTENTS = '1.2.840.113549.1.12.10.1.6';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const FRIENDLY_NAME = '1.2.840.113549.1.9.20';
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21';

/** The keys and certificates of a SafeContents; other bags (CRLs, secrets, unknown ones) are passed over. */
export function parseSafeContents(
  bytes: Uint8Array<ArrayBuffer>,
  { maxBags, maxNesting }: Pick<Pkcs12Limits, 'maxBags' | 'maxNesting'>,
): Bags {
  const bags: Bags = { keys: [], certificates: [] };
  const budget = { bags: maxBags };
  const walk = (contents: Node[], nesting: number) => {
    if (nesting > maxNesting) throw malformed('The bags of the file are nested too deeply.');
    for (const node of contents) {
      if (budget.bags-- === 0) throw malformed(`The file has more than ${maxBags} bags.`);
      const [id, value, attributes] = sequence(node);
      const type = objectIdentifier(id);
      if (type === SAFE_CONTENTS) walk(sequence(explicit(value, 0)), nesting + 1);
      else readBag(bags, { type, value, attributes });
    }
  };
  walk(sequence(parse(bytes)), 0);
  return bags;
}

interface Bag {
  type: string;
  value: Node | undefined;
  attributes: Node | undefined;
}

function readBag(bags: Bags, { type, value, attributes }: Bag): void {
  if (type === KEY) {
    const key = encodedBytes(explicit(value, 0));
    bags.keys.push({ key, ...readAttributes(attributes) });
  } else if (type === SHROUDED_KEY) {
    const [scheme, ciphertext] = sequence(explicit(value, 0));
    const encryption = encryptionOf(algorithm(scheme));
    bags.keys.push({
      key: { encryption, ciphertext: octetString(ciphertext) },
      ...readAttributes(attributes),
    });
  } else if (type === CERTIFICATE) {
    const [kind, wrapped] = sequence(explicit(value, 0));
    if (objectIdentifier(kind) !== X509_CERTIFICATE) return;
    bags.certificates.push({ der: octetString(explicit(wrapped, 0)), ...readAttributes(attributes) });
  }
}

/** The element as it was encoded. */
function encodedBytes(node: Node): Uint8Array<ArrayBuffer> {
  return node.valueBeforeDecodeView as Uint8Array<ArrayBuffer>;
}

/** Attributes are for people and for order: an odd one is passed over. */
function readAttributes(node: Node | undefined): Attributes {
  const found: Attributes = {};
  if (!is(node, Tag.set)) return found;
  for (const attribute of children(node)) {
    if (!is(attribute, Tag.sequence)) continue;
    const [id, values] = children(attribute);
    const value = is(values, Tag.set) ? children(values)[0] : undefined;
    if (!is(id, Tag.objectIdentifier) || !value) continue;
    const type = objectIdentifier(id);
    if (type === FRIENDLY_NAME) {
      const text = readText(value);
      if (text) found.friendlyName ??= text;
    } else if (type === LOCAL_KEY_ID && is(value, Tag.octetString)) {
      const keyId = toHex(octets(value));
      if (keyId) found.keyId ??= keyId;
    }
  }
  return found;
}

function readText(value: Node): string | undefined {
  const encoding = is(value, Tag.bmpString) ? 'utf-16be' : is(value, Tag.utf8String) ? 'utf-8' : undefined;
  // Some writers count the zero that ends a string in C.
  return encoding && new TextDecoder(encoding).decode(octets(value)).replace(/\0+$/, '');
}
