// The bags inside a SafeContents (RFC 7292, section 4.2).
import { MtlsError } from '../errors.js';
import { toHex } from '../util/encoding.js';
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
import { damaged, malformed } from './errors.js';
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

/** What cannot be read stands in the way of nothing else. */
export interface UnusableBag extends Attributes {
  error: MtlsError;
  /** Whether it holds a private key. */
  isKey?: boolean;
}

export interface Bags {
  keys: KeyBag[];
  certificates: CertificateBag[];
  unusable: UnusableBag[];
}

const KEY = '1.2.840.113549.1.12.10.1.1';
const SHROUDED_KEY = '1.2.840.113549.1.12.10.1.2';
const CERTIFICATE = '1.2.840.113549.1.12.10.1.3';
const SAFE_CONTENTS = '1.2.840.113549.1.12.10.1.6';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const FRIENDLY_NAME = '1.2.840.113549.1.9.20';
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21';

/** Reads the SafeContents of a file, which has as many bags as the limits allow, all parts taken together. */
export class BagReader {
  readonly #limits: Pkcs12Limits;
  #bags = 0;
  #keys = 0;
  #certificates = 0;

  constructor(limits: Pkcs12Limits) {
    this.#limits = limits;
  }

  /**
   * The keys and certificates of a SafeContents; other bags (CRLs, secrets, unknown ones) are passed over. Undefined when the bytes
   * are none, which tells a wrong password.
   *
   * @throws MtlsError ERR_P12_MALFORMED beyond a limit
   */
  read(bytes: Uint8Array<ArrayBuffer>): Bags | undefined {
    const contents = bagsOf(() => sequence(parse(bytes)));
    if (!contents) return undefined;
    const bags: Bags = { keys: [], certificates: [], unusable: [] };
    this.#walk(contents, { bags, nesting: 0 });
    return bags;
  }

  #walk(contents: readonly Bag[], { bags, nesting }: { bags: Bags; nesting: number }): void {
    if (nesting > this.#limits.maxNesting) throw malformed('The bags of the file are nested too deeply.');
    for (const bag of contents) {
      this.#count(bag);
      const nested = bag.type === SAFE_CONTENTS && bagsOf(() => sequence(explicit(bag.value, 0)));
      if (nested) this.#walk(nested, { bags, nesting: nesting + 1 });
      else readBag(bag, bags);
    }
  }

  #count({ type }: Bag): void {
    const { maxBags, maxKeys, maxCertificates } = this.#limits;
    if (isKey(type)) this.#keys++;
    if (type === CERTIFICATE) this.#certificates++;
    if (++this.#bags > maxBags) throw malformed(`The file has more than ${maxBags} bags.`);
    if (this.#keys > maxKeys || this.#certificates > maxCertificates)
      throw malformed(`The file has more than ${maxKeys} keys or ${maxCertificates} certificates.`);
  }
}

interface Bag {
  /** Undefined: it is not a bag. */
  type: string | undefined;
  value?: Node | undefined;
  attributes?: Node | undefined;
}

/** Undefined when there are elements, and no bag among them. */
function bagsOf(read: () => Node[]): Bag[] | undefined {
  const bags = tried(read)?.map(node => tried(() => bagOf(node)) ?? { type: undefined });
  return bags?.length === 0 || bags?.some(it => it.type !== undefined) ? bags : undefined;
}

function bagOf(node: Node): Bag {
  const [id, value, attributes] = sequence(node);
  return { type: objectIdentifier(id), value, attributes };
}

function readBag({ type, value, attributes }: Bag, { keys, certificates, unusable }: Bags): void {
  const named = readAttributes(attributes);
  try {
    if (type === KEY) keys.push({ key: explicit(value, 0).whole, ...named });
    else if (type === SHROUDED_KEY) keys.push({ key: shrouded(explicit(value, 0)), ...named });
    else if (type === CERTIFICATE) {
      const [kind, wrapped] = sequence(explicit(value, 0));
      // Others are passed over.
      if (objectIdentifier(kind) !== X509_CERTIFICATE) return;
      certificates.push({ der: octetString(explicit(wrapped, 0)), ...named });
    } else if (type === undefined || type === SAFE_CONTENTS) throw damaged('one of its bags cannot be read');
  } catch (error) {
    if (!(error instanceof MtlsError)) throw error;
    unusable.push({ ...named, error, isKey: isKey(type) });
  }
}

const isKey = (type: string | undefined) => type === KEY || type === SHROUDED_KEY;

function shrouded(node: Node): Encrypted {
  const [scheme, ciphertext] = sequence(node);
  return { encryption: encryptionOf(algorithm(scheme)), ciphertext: octetString(ciphertext) };
}

/** Of a bag: the others are passed over. */
const MAX_ATTRIBUTES = 100;
/** Longer than a hash of any kind. */
const MAX_KEY_ID_BYTES = 1_024;
/** Longer than any name that a person reads. */
const MAX_NAME_BYTES = 4_096;

/** Attributes are for people and for order: an odd one is passed over. */
function readAttributes(node: Node | undefined): Attributes {
  const found: Attributes = {};
  const attributes = is(node, Tag.set) ? tried(() => children(node)) : undefined;
  for (const attribute of attributes?.slice(0, MAX_ATTRIBUTES) ?? [])
    tried(() => readAttribute(attribute, found));
  return found;
}

/** The first one of each type counts. */
function readAttribute(node: Node, found: Attributes): void {
  const [id, values] = sequence(node);
  const type = objectIdentifier(id);
  const [value] = is(values, Tag.set) ? children(values) : [];
  if (!value) return;
  if (type === FRIENDLY_NAME && found.friendlyName === undefined) {
    const text = readText(value);
    if (text) found.friendlyName = text;
  } else if (type === LOCAL_KEY_ID && found.keyId === undefined) {
    const keyId = readKeyId(value);
    if (keyId) found.keyId = keyId;
  }
}

function readKeyId(value: Node): string | undefined {
  const keyId = octetString(value);
  return keyId.length <= MAX_KEY_ID_BYTES ? toHex(keyId) : undefined;
}

function readText(value: Node): string | undefined {
  const encoding = is(value, Tag.bmpString) ? 'utf-16be' : is(value, Tag.utf8String) ? 'utf-8' : undefined;
  const bytes = encoding && octets(value);
  if (!bytes || bytes.length > MAX_NAME_BYTES) return undefined;
  const text = new TextDecoder(encoding).decode(bytes);
  // Some writers count the zero that ends a string in C.
  let end = text.length;
  while (text[end - 1] === '\0') end--;
  return text.slice(0, end);
}

function tried<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
