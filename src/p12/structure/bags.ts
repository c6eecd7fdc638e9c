// The bags inside a SafeContents (RFC 7292, section 4.2).
import * as pkijs from 'pkijs';
import { MtlsError } from '../../errors.js';
import { toHex } from '../../util/encoding.js';
import { algorithmOf } from '../algorithms/algorithm.js';
import { encryptionOf } from '../algorithms/encryption.js';
import {
  explicit,
  guarded,
  is,
  type Node,
  objectIdentifier,
  octetString,
  octets,
  parse,
  sequence,
  Tag,
  unexpected,
} from '../asn1/asn1.js';
import {
  type Element,
  elementsOf,
  explicitElement,
  firstElement,
  inside,
  isElement,
} from '../asn1/ber-scan.js';
import type { ImportBudget } from '../budget/import-budget.js';
import { damaged, malformed } from '../errors.js';
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
  readonly #budget: ImportBudget;
  #bags = 0;
  #keys = 0;
  #certificates = 0;

  constructor(budget: ImportBudget) {
    this.#budget = budget;
  }

  /**
   * The keys and certificates of a SafeContents; other bags (CRLs, secrets, unknown ones) are passed over. Undefined when the bytes
   * are none, which tells a wrong password.
   *
   * @throws MtlsError ERR_P12_MALFORMED beyond a limit
   */
  async read(bytes: Uint8Array<ArrayBuffer>): Promise<Bags | undefined> {
    const contents = bagsOf(() => firstElement(bytes));
    if (!contents) return undefined;
    const bags: Bags = { keys: [], certificates: [], unusable: [] };
    await this.#walk(contents, { bags, nesting: 0 });
    return bags;
  }

  async #walk(
    contents: readonly Element[],
    { bags, nesting }: { bags: Bags; nesting: number },
  ): Promise<void> {
    if (nesting > this.#budget.limits.maxNesting)
      throw malformed('The bags of the file are nested too deeply.');
    for (const element of contents) {
      await this.#budget.turn();
      const bag = tried(() => this.#bagOf(element)) ?? { type: undefined };
      this.#count(bag);
      const nested = bag.type === SAFE_CONTENTS && bagsOf(() => explicitElement(bag.value, 0));
      if (nested) await this.#walk(nested, { bags, nesting: nesting + 1 });
      else this.#read(bag, bags);
    }
  }

  #bagOf(element: Element): Bag {
    const [id, value, attributes] = elementsOf(element, Tag.sequence);
    return { type: objectIdentifier(this.#parse(id)), value, attributes };
  }

  #count({ type }: Bag): void {
    const { maxBags, maxKeys, maxCertificates } = this.#budget.limits;
    if (isKey(type)) this.#keys++;
    if (type === CERTIFICATE) this.#certificates++;
    if (++this.#bags > maxBags) throw malformed(`The file has more than ${maxBags} bags.`);
    if (this.#keys > maxKeys || this.#certificates > maxCertificates)
      throw malformed(`The file has more than ${maxKeys} keys or ${maxCertificates} certificates.`);
  }

  #read({ type, value, attributes }: Bag, { keys, certificates, unusable }: Bags): void {
    const named = this.#readAttributes(attributes);
    try {
      if (type === KEY) keys.push({ key: explicitElement(value, 0).whole, ...named });
      else if (type === SHROUDED_KEY)
        keys.push({ key: shrouded(this.#parse(explicitElement(value, 0))), ...named });
      else if (type === CERTIFICATE) {
        const der = certificateOf(this.#parse(explicitElement(value, 0)));
        if (der) certificates.push({ der, ...named });
      } else if (type === undefined || type === SAFE_CONTENTS)
        throw damaged('one of its bags cannot be read');
    } catch (error) {
      if (!(error instanceof MtlsError)) throw error;
      unusable.push({ ...named, error, isKey: isKey(type) });
    }
  }

  /** Attributes are for people and for order: an odd one is passed over. */
  #readAttributes(element: Element | undefined): Attributes {
    const found: Attributes = {};
    const attributes = isElement(element, Tag.set) ? tried(() => inside(element)) : undefined;
    for (const attribute of attributes?.slice(0, MAX_ATTRIBUTES) ?? [])
      if (attribute.whole.length <= MAX_ATTRIBUTE_BYTES)
        tried(() => readAttribute(this.#parse(attribute), found));
    return found;
  }

  #parse(element: Element | undefined): Node {
    if (!element) throw unexpected();
    return parse(element, this.#budget);
  }
}

interface Bag {
  /** Undefined: it is not a bag. */
  type: string | undefined;
  value?: Element | undefined;
  attributes?: Element | undefined;
}

/** The elements of a SafeContents; undefined when there are some, and no bag among them. */
function bagsOf(read: () => Element): Element[] | undefined {
  const elements = tried(() => elementsOf(read(), Tag.sequence));
  return elements?.length === 0 || elements?.some(isBag) ? elements : undefined;
}

function isBag(element: Element): boolean {
  return isElement(element, Tag.sequence) && element.content[0] === Tag.objectIdentifier;
}

const isKey = (type: string | undefined) => type === KEY || type === SHROUDED_KEY;

function shrouded(node: Node): Encrypted {
  return guarded(() => {
    const { encryptionAlgorithm, encryptedData } = new pkijs.PKCS8ShroudedKeyBag({ schema: node });
    return {
      encryption: encryptionOf(algorithmOf(encryptionAlgorithm)),
      ciphertext: octetString(encryptedData),
    };
  });
}

/** CertBag (RFC 7292, section 4.2.3). Not by PKI.js, which parses the certificate too. Undefined for one of another kind. */
function certificateOf(node: Node): Uint8Array<ArrayBuffer> | undefined {
  const [kind, wrapped] = sequence(node);
  return objectIdentifier(kind) === X509_CERTIFICATE ? octetString(explicit(wrapped, 0)) : undefined;
}

/** Of a bag: the others are passed over. */
const MAX_ATTRIBUTES = 100;
/** Longer than a hash of any kind. */
const MAX_KEY_ID_BYTES = 1_024;
/** Longer than any name that a person reads. */
const MAX_NAME_BYTES = 4_096;
/** More than a name with all that is around it. */
const MAX_ATTRIBUTE_BYTES = 8_192;

/** The first one of each type counts. */
function readAttribute(node: Node, found: Attributes): void {
  const { type, values } = new pkijs.Attribute({ schema: node });
  const [value] = values as Node[];
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
  // asn1js reads chunks as if they were characters.
  if (value.idBlock.isConstructed) return undefined;
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
