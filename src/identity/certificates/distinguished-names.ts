// Distinguished names (RFC 5280, section 4.1.2.4). The engine compares those of servers' certificates in the same way:
// wasm/engine/src/pki/name.rs.

import { toHex } from '../../util/encoding.js';
import { type Element, elementsOf, firstElementOf } from '../der.js';

const SEQUENCE = 0x30;
const SET = 0x31;
const OBJECT_IDENTIFIER = 0x06;
/** The version of a certificate, which is optional. */
const VERSION = 0xa0;

const UTF8_STRING = 0x0c;
/** PrintableString, TeletexString, IA5String, VisibleString: OpenSSL reads them all as Latin-1. */
const LATIN_1_STRINGS = [0x13, 0x14, 0x16, 0x1a];
const UNIVERSAL_STRING = 0x1c;
const BMP_STRING = 0x1e;

/**
 * The form of a DER-encoded name in which names are compared (RFC 5280, section 7.1): the same for those that OpenSSL holds for
 * equal. Strings count by their text, whatever their type, without regard to the case of ASCII letters and to spaces at their ends
 * or repeated ones; other values (NumericString too) and malformed names count as they are encoded.
 */
export function comparableName(der: Uint8Array): string {
  try {
    return comparable(der);
  } catch {
    return `#${toHex(der)}`;
  }
}

/** The issuer's name of a certificate, DER; undefined when the bytes are no certificate. */
export function issuerName(der: Uint8Array): Uint8Array | undefined {
  try {
    const [toBeSigned] = elementsOf(firstElementOf(der).content);
    const [, , issuer] = elementsOf(toBeSigned?.content).filter(it => it.tag !== VERSION);
    return issuer?.whole;
  } catch {
    return undefined;
  }
}

/** Tests whether one of several authorities has issued a certificate; names and certificates are DER. */
export function issuedByOneOf(names: readonly Uint8Array[]): (der: Uint8Array) => boolean {
  const wanted = new Set(names.map(comparableName));
  return der => {
    const issuer = comparableIssuer(der);
    return issuer !== undefined && wanted.has(issuer);
  };
}

/** Of certificates, which every new connection compares again. */
const comparableIssuers = new WeakMap<Uint8Array, string>();

function comparableIssuer(der: Uint8Array): string | undefined {
  const known = comparableIssuers.get(der);
  if (known !== undefined) return known;
  const issuer = issuerName(der);
  if (!issuer) return undefined;
  const comparable = comparableName(issuer);
  comparableIssuers.set(der, comparable);
  return comparable;
}

/** The DER element that bytes begin with, without what stands behind it; the bytes themselves where they begin with none. */
export function firstElement(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  try {
    return bytes.subarray(0, firstElementOf(bytes).whole.length);
  } catch {
    return bytes;
  }
}

/** Fails for a name that is malformed. */
function comparable(der: Uint8Array): string {
  const [name, ...rest] = elementsOf(der);
  if (name?.tag !== SEQUENCE || rest.length > 0) throw new RangeError('not a name');
  const rdns = elementsOf(name.content).map(comparableRdn);
  return rdns.filter(it => it !== '').join(',');
}

function comparableRdn({ tag, content }: Element): string {
  if (tag !== SET) throw new RangeError('not a set of attributes');
  return elementsOf(content).map(comparableAttribute).sort().join('+');
}

function comparableAttribute({ tag, content }: Element): string {
  const [type, value, ...rest] = elementsOf(content);
  if (tag !== SEQUENCE || type?.tag !== OBJECT_IDENTIFIER || !value || rest.length > 0)
    throw new RangeError('not an attribute');
  const text = textOf(value);
  const shown = text === undefined ? `#${toHex(value.whole)}` : JSON.stringify(folded(text));
  return `${toHex(type.content)}=${shown}`;
}

/**
 * The form in which the texts of names are compared (RFC 4514), as `comparableName` has it of their encodings. Escapes, spaces
 * around separators, the case of types and the order inside of an RDN make no difference.
 */
export function comparableText(name: string): string {
  return separated(name, ',')
    .map(rdn => separated(rdn, '+').map(comparablePair).sort().join('+'))
    .join(',');
}

/** Not at separators that are escaped. */
function separated(text: string, separator: ',' | '+'): string[] {
  return text.match(separator === ',' ? /(?:\\.|[^\\,])+/gs : /(?:\\.|[^\\+])+/gs) ?? [text];
}

function comparablePair(pair: string): string {
  const [type = '', ...value] = pair.split('=');
  return `${type.trim().toLowerCase()}=${JSON.stringify(folded(unescaped(value.join('='))))}`;
}

function unescaped(value: string): string {
  return value.replace(
    /((?:\\[\da-f]{2})+)|\\(.)/gis,
    (whole, octets: string | undefined, character: string) => {
      if (octets === undefined) return character;
      try {
        return decodeURIComponent(octets.replaceAll('\\', '%'));
      } catch {
        return whole;
      }
    },
  );
}

/** ASCII letters in lower case, spaces joined, without those at the ends. */
function folded(text: string): string {
  return text
    .replace(/[\t-\r ]+/g, ' ')
    .replace(/^ | $/g, '')
    .replace(/[A-Z]/g, letter => letter.toLowerCase());
}

/** Undefined for types that are compared as they are encoded. Fails for a string that is malformed. */
function textOf({ tag, content }: Element): string | undefined {
  if (LATIN_1_STRINGS.includes(tag)) return Array.from(content, it => String.fromCharCode(it)).join('');
  if (tag === UTF8_STRING) return decoded('utf-8', content);
  if (tag === BMP_STRING) return decoded('utf-16be', content);
  return tag === UNIVERSAL_STRING ? universalText(content) : undefined;
}

function decoded(encoding: string, bytes: Uint8Array): string {
  return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
}

function universalText(bytes: Uint8Array): string {
  if (bytes.length % 4 !== 0) throw new RangeError('not a string of four octets a character');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const characters = Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i));
  if (characters.some(it => it >= 0xd800 && it < 0xe000)) throw new RangeError('not a character');
  return String.fromCodePoint(...characters);
}
