// Walks the headers of BER (ITU-T X.690, section 8) before asn1js sees the bytes: asn1js builds a tree, and takes microseconds for
// each element and each arc of an object identifier. The scan refuses what would block the page, and splits long lists, so that
// their elements are parsed one at a time.

import type { MtlsError } from '../../errors.js';
import { damaged } from '../errors.js';

type Bytes = Uint8Array<ArrayBuffer>;

/** An element as its header shows it. */
export interface Element {
  tagClass: number;
  tag: number;
  isConstructed: boolean;
  /** Views of the bytes that were scanned. */
  whole: Bytes;
  content: Bytes;
}

export const Tag = {
  integer: 2,
  bitString: 3,
  octetString: 4,
  objectIdentifier: 6,
  utf8String: 12,
  sequence: 16,
  set: 17,
  bmpString: 30,
} as const;

const UNIVERSAL = 0;
const CONTEXT = 2;

/** Deeper than any honest file, and little enough for the stack. */
export const MAX_DEPTH = 48;
/** Headers that are looked at in one scan. */
const MAX_ELEMENTS = 50_000;
/** What asn1js and PKI.js parse in some 20 to 50 ms. */
export const MAX_PARSED_ELEMENTS = 2_048;

const holdsAnything = new Set<number>([Tag.octetString, Tag.bitString, Tag.sequence, Tag.set]);
/** An RSA key of 16,384 bits has numbers of 2,049 octets. */
const holdsMuch = new Set<number>([Tag.integer, Tag.utf8String, Tag.bmpString]);
const MAX_LONG_VALUE_BYTES = 8_192;
/** Of the other types: longer than any object identifier that is in use. */
const MAX_VALUE_BYTES = 128;
/** So many octets of a value cost as much as an element: asn1js computes each arc of an object identifier. */
const ARC_OCTETS_PER_ELEMENT = 2;
const OCTETS_PER_ELEMENT = 8;

/** The element at the start of `bytes`. What follows it is ignored. */
export function firstElement(bytes: Bytes): Element {
  return elementAt(bytes, 0, new Scan(bytes));
}

/** The elements of a SEQUENCE or SET. */
export function elementsOf(element: Element | undefined, tag: number): Element[] {
  if (!isElement(element, tag)) throw unexpected();
  return inside(element);
}

/** The element inside of an explicit tag. */
export function explicitElement(element: Element | undefined, tag: number): Element {
  const [inner] = isContextElement(element, tag) ? inside(element) : [];
  if (!inner) throw unexpected();
  return inner;
}

export function isElement(element: Element | undefined, tag: number): element is Element {
  return element?.tagClass === UNIVERSAL && element.tag === tag;
}

export function isContextElement(element: Element | undefined, tag: number): element is Element {
  return element?.tagClass === CONTEXT && element.tag === tag;
}

/** The elements inside of a constructed one. */
export function inside({ isConstructed, content }: Element): Element[] {
  if (!isConstructed) throw unexpected();
  const scan = new Scan(content);
  const found: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const element = elementAt(content, at, scan);
    found.push(element);
    at += element.whole.length;
  }
  return found;
}

/** The cost of parsing an element, in elements of the usual kind. */
export function parsingCost({ whole }: Element): number {
  const scan = new Scan(whole);
  return costOf(scan, { at: 0, end: whole.length, depth: 0 });
}

/** @throws MtlsError ERR_P12_MALFORMED when it is more than a page bears in one go */
function costOf(scan: Scan, { at, end, depth }: { at: number; end: number; depth: number }): number {
  if (depth > MAX_DEPTH) throw tooDeep();
  let cost = 0;
  while (at < end) {
    const header = scan.header(at, end);
    const next = scan.endOf(header, end);
    cost += 1 + valueCost(header, next.content - header.start);
    if (header.isConstructed) cost += costOf(scan, { at: header.start, end: next.content, depth: depth + 1 });
    if (cost > MAX_PARSED_ELEMENTS) throw tooMany();
    at = next.element;
  }
  return cost;
}

/** asn1js reads the content of most types as a value, constructed or not. */
function valueCost({ tagClass, tag }: Header, length: number): number {
  if (tagClass !== UNIVERSAL || holdsAnything.has(tag)) return 0;
  // Reserved, and to asn1js the end of contents, whatever its length.
  if (tag === 0) throw unexpected();
  const isLong = holdsMuch.has(tag);
  if (length > (isLong ? MAX_LONG_VALUE_BYTES : MAX_VALUE_BYTES)) throw unexpected();
  return Math.floor(length / (isLong ? OCTETS_PER_ELEMENT : ARC_OCTETS_PER_ELEMENT));
}

function elementAt(bytes: Bytes, at: number, scan: Scan): Element {
  const header = scan.header(at, bytes.length);
  const { content, element } = scan.endOf(header, bytes.length);
  const { tagClass, tag, isConstructed, start } = header;
  return {
    ...{ tagClass, tag, isConstructed },
    whole: bytes.subarray(at, element),
    content: bytes.subarray(start, content),
  };
}

interface Header {
  tagClass: number;
  tag: number;
  isConstructed: boolean;
  /** Of the content. */
  start: number;
  /** Undefined: indefinite. */
  length: number | undefined;
}

/** Longer tags and lengths have no use here. */
const MAX_TAG_OCTETS = 4;
const MAX_LENGTH_OCTETS = 8;
const INDEFINITE = 0x80;
/** The two zero octets that end what is of indefinite length. */
const END_BYTES = 2;

/** One pass over some bytes, of as many headers as are allowed. */
class Scan {
  readonly #bytes: Bytes;
  #left = MAX_ELEMENTS;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  header(at: number, end: number): Header {
    if (--this.#left < 0) throw tooMany();
    const identifier = this.#octet(at);
    let { tag, next } = this.#tag(at, identifier & 0x1f);
    const isConstructed = (identifier & 0x20) !== 0;
    const first = this.#octet(next++);
    if (first === INDEFINITE && !isConstructed) throw unexpected();
    let length = first < INDEFINITE ? first : 0;
    if (first > INDEFINITE) {
      const octets = first & 0x7f;
      if (octets > MAX_LENGTH_OCTETS) throw cutShort();
      for (let i = 0; i < octets; i++) length = length * 256 + this.#octet(next++);
    }
    if (next + length > end) throw cutShort();
    return {
      ...{ tagClass: identifier >> 6, tag, isConstructed, start: next },
      length: first === INDEFINITE ? undefined : length,
    };
  }

  /** Where the content and the element end. */
  endOf({ start, length }: Header, limit: number): { content: number; element: number } {
    if (length !== undefined) return { content: start + length, element: start + length };
    const end = this.#endOfContents(start, limit);
    return { content: end, element: end + END_BYTES };
  }

  #endOfContents(at: number, end: number): number {
    for (let open = 1; ; ) {
      if (this.#bytes[at] === 0 && this.#bytes[at + 1] === 0 && at + END_BYTES <= end) {
        if (--open === 0) return at;
        at += END_BYTES;
        continue;
      }
      const { start, length } = this.header(at, end);
      if (length === undefined && ++open > MAX_DEPTH) throw tooDeep();
      at = start + (length ?? 0);
    }
  }

  /** A number above 30 follows in octets of its own. */
  #tag(at: number, tag: number): { tag: number; next: number } {
    let next = at + 1;
    if (tag !== 0x1f) return { tag, next };
    let number = 0;
    for (let octet = 0x80; octet & 0x80; next++) {
      if (next - at > MAX_TAG_OCTETS) throw unexpected();
      octet = this.#octet(next);
      number = number * 128 + (octet & 0x7f);
    }
    return { tag: number, next };
  }

  #octet(at: number): number {
    const octet = this.#bytes[at];
    if (octet === undefined) throw cutShort();
    return octet;
  }
}

function cutShort(): MtlsError {
  return damaged('it is cut short, or not valid BER');
}

function tooDeep(): MtlsError {
  return damaged('it is nested too deeply');
}

function tooMany(): MtlsError {
  return damaged('it consists of too many elements');
}

export function unexpected(): MtlsError {
  return damaged('something else was expected inside');
}
