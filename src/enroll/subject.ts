// Distinguished names, from text or attributes to DER (RFC 4514; RFC 5280, section 4.1.2.4 and appendix A.1).

import { equalBytes } from '../util/bytes.js';
import { type Der, element, objectIdentifier, sequence, setOf, Tag, text } from './der.js';

/** An attribute of a subject, e.g. `{ type: 'CN', value: 'Ada' }`. */
export interface SubjectAttribute {
  /** A name as in RFC 4514 or OpenSSL (`CN`, `O`, `OU`, `C`, `DC`, `UID`, `emailAddress`, … in any case), or a dotted OID. */
  type: string;
  /** The value as plain text, without escapes. Its length is limited by RFC 5280, appendix A.1. */
  value: string;
}

/**
 * A subject: text in the form of RFC 4514 (`CN=Ada Lovelace,O=Analytical Engines,C=GB`), or a list of its attributes, the most specific
 * first. A list inside the list joins attributes (`CN=Ada+UID=1`).
 */
export type Subject = string | readonly (SubjectAttribute | readonly SubjectAttribute[])[];

type Rdn = { type: string; value: string | Der }[];

interface AttributeType {
  oid: string;
  tag: number;
  /** In characters; the upper bounds of RFC 5280, appendix A.1. */
  maxLength: number;
  pattern?: RegExp;
}

const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;
const ASCII = /^[\x20-\x7e]*$/;
const LONE_SURROGATE = /\p{Cs}/u;

const directory = (oid: string, maxLength = 32_768): AttributeType => ({
  oid,
  tag: Tag.utf8String,
  maxLength,
});
const printable = (oid: string, maxLength: number, pattern = PRINTABLE): AttributeType => ({
  oid,
  tag: Tag.printableString,
  maxLength,
  pattern,
});
const ia5 = (oid: string, maxLength: number): AttributeType => ({
  oid,
  tag: Tag.ia5String,
  maxLength,
  pattern: ASCII,
});

// The names are those of `Certificate.subject`, in lower case, and the long ones that OpenSSL has.
const namedTypes = (): [string, AttributeType][] =>
  Object.entries({
    'cn commonname': directory('2.5.4.3', 64),
    'sn surname': directory('2.5.4.4', 32_768),
    serialnumber: printable('2.5.4.5', 64),
    'c countryname country': printable('2.5.4.6', 2, /^[A-Za-z]{2}$/),
    'l localityname': directory('2.5.4.7', 128),
    'st s stateorprovincename': directory('2.5.4.8', 128),
    'street streetaddress': directory('2.5.4.9'),
    'o organizationname': directory('2.5.4.10', 64),
    'ou organizationalunitname': directory('2.5.4.11', 64),
    title: directory('2.5.4.12', 64),
    description: directory('2.5.4.13'),
    businesscategory: directory('2.5.4.15'),
    postalcode: directory('2.5.4.17'),
    name: directory('2.5.4.41'),
    'gn givenname': directory('2.5.4.42'),
    initials: directory('2.5.4.43'),
    generationqualifier: directory('2.5.4.44'),
    'dnqualifier dnq': printable('2.5.4.46', 64),
    pseudonym: directory('2.5.4.65', 128),
    organizationidentifier: directory('2.5.4.97'),
    'uid userid': directory('0.9.2342.19200300.100.1.1'),
    'dc domaincomponent': ia5('0.9.2342.19200300.100.1.25', 63),
    'emailaddress e email': ia5('1.2.840.113549.1.9.1', 255),
  }).flatMap(([names, type]) => names.split(' ').map((name): [string, AttributeType] => [name, type]));
const attributeTypes = /* @__PURE__ */ mapped(namedTypes);
const typesByOid = /* @__PURE__ */ mapped(() => namedTypes().map(([, type]) => [type.oid, type]));

/** A call that bundlers can leave out: the entries are made in it. */
function mapped(entries: () => [string, AttributeType][]): Map<string, AttributeType> {
  return new Map(entries());
}

/**
 * The DER of a Name. Text is written as UTF8String, or as the type that an attribute demands.
 *
 * @throws TypeError when it cannot be read, or a value does not fit its attribute
 */
export function encodeSubject(subject: Subject): Der {
  const rdns = typeof subject === 'string' ? parseText(subject) : subject.map(it => [it].flat());
  // The text form begins with the last of them (RFC 4514, section 2.1).
  return sequence(...[...rdns].reverse().map(rdn => setOf(checkedRdn(rdn).map(encodeAttribute))));
}

function checkedRdn(rdn: Rdn): Rdn {
  const valid = rdn.length > 0 && rdn.every(it => typeof it?.type === 'string' && it.value !== undefined);
  if (!valid) throw new TypeError('"subject" must have attributes with a type and a value');
  return rdn;
}

function encodeAttribute({ type, value }: Rdn[number]): Der {
  const dotted = type.replace(/^OID\./i, '');
  const known = attributeTypes.get(type.toLowerCase()) ?? typesByOid.get(dotted);
  if (!known && !/^\d/.test(dotted))
    throw new TypeError(`"subject" must have known attributes or dotted OIDs, not ${type}`);
  const { oid, ...rule } = known ?? directory(dotted);
  const encoded = typeof value === 'string' ? encodeValue(value, { type, ...rule }) : value;
  return sequence(objectIdentifier(oid), encoded);
}

function encodeValue(
  value: string,
  { type, tag, maxLength, pattern }: Omit<AttributeType, 'oid'> & { type: string },
): Der {
  const length = [...value].length;
  if (length === 0 || length > maxLength)
    throw new TypeError(`"subject" must have 1 to ${maxLength} characters in ${type}`);
  if (LONE_SURROGATE.test(value) || (pattern && !pattern.test(value)))
    throw new TypeError(`"subject" must have only the characters in ${type} that it may have`);
  return text(tag, value);
}

const ESCAPABLE = ' "#+,;<=>\\';
const HEX_PAIR = /^[0-9A-Fa-f]{2}/;

function parseText(source: string): Rdn[] {
  const rdns: Rdn[] = [];
  if (source.trim() === '') return rdns;
  let rest = source;
  let rdn: Rdn = [];
  for (;;) {
    const [whole, type = ''] = /^\s*((?:OID\.)?[A-Za-z0-9][A-Za-z0-9.-]*) *= */i.exec(rest) ?? [];
    if (whole === undefined)
      throw new TypeError('"subject" must have the form of RFC 4514, e.g. CN=Ada,O=Analytical Engines');
    const { value, length } = parseValue(rest.slice(whole.length));
    rdn.push({ type, value });
    const separator = rest[whole.length + length];
    rest = rest.slice(whole.length + length + 1);
    if (separator === '+') continue;
    rdns.push(rdn);
    rdn = [];
    if (separator === undefined) return rdns;
  }
}

/** A value up to its separator, without the spaces around it, and how much of the text it takes. Other white space is its own. */
function parseValue(source: string): { value: string | Der; length: number } {
  const hex = /^#((?:[0-9A-Fa-f]{2})+) *(?=[,;+]|$)/.exec(source);
  if (hex) return { value: fromHex(hex[1] ?? ''), length: hex[0].length };
  const quoted = /^"((?:[^"\\]|\\.)*)" *(?=[,;+]|$)/su.exec(source);
  if (quoted) return { value: unescaped(quoted[1] ?? ''), length: quoted[0].length };
  const [raw = ''] = /^(?:[^\\,;+"<>]|\\.)*/su.exec(source) ?? [];
  const after = source[raw.length];
  if (after !== undefined && !',;+'.includes(after))
    throw new TypeError(`"subject" must have ${after} escaped, as \\${after}`);
  // A space at the end counts when it is escaped.
  return { value: unescaped(raw.replace(/(?<!\\)((?:\\\\)*(?:\\ )?) +$/, '$1')), length: raw.length };
}

/** Escaped characters, and octets of UTF-8 in hex (RFC 4514, section 3). */
function unescaped(source: string): string {
  const bytes: number[] = [];
  for (let rest = source; rest !== ''; ) {
    const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
    rest = rest.slice(character.length);
    if (character !== '\\') {
      bytes.push(...new TextEncoder().encode(character));
      continue;
    }
    const [pair] = HEX_PAIR.exec(rest) ?? [];
    if (!pair && !(rest !== '' && ESCAPABLE.includes(rest.charAt(0))))
      throw new TypeError('"subject" must have a special character, or two hex digits, after a backslash');
    bytes.push(pair ? Number.parseInt(pair, 16) : rest.charCodeAt(0));
    rest = rest.slice(pair ? 2 : 1);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    throw new TypeError('"subject" must have UTF-8 as its escaped octets');
  }
}

/** A value in hex is the DER of any type (RFC 4514, section 2.4). */
function fromHex(hex: string): Der {
  const der = Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16));
  const [tag = 0] = der;
  if (!equalBytes(element(tag, der.subarray(headerLength(der))), der))
    throw new TypeError('"subject" must have one DER element as a value in hex');
  return der;
}

function headerLength(der: Der): number {
  const first = der[1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}
