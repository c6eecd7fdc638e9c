// BER (ITU-T X.690, section 8) as PKCS#12 files have it, read lazily: an element costs nothing until somebody looks inside. Everything is
// a view of the file, and bounded.

import type { MtlsError } from '../errors.js';
import { concatenated } from '../util/bytes.js';
import { damaged } from './errors.js';

type Bytes = Uint8Array<ArrayBuffer>;

/** An element. */
export class Node {
  /** The identifier's class and its number. */
  readonly tagClass: number;
  readonly tag: number;
  readonly isConstructed: boolean;
  readonly depth: number;
  /** Of all that is read from the same bytes. */
  readonly budget: Budget;
  readonly #bytes: Bytes;
  readonly #place: Extent;

  constructor(bytes: Bytes, header: Header, { depth, budget, ...place }: Extent & Surroundings) {
    this.tagClass = header.tagClass;
    this.tag = header.tag;
    this.isConstructed = header.isConstructed;
    this.depth = depth;
    this.budget = budget;
    this.#bytes = bytes;
    this.#place = place;
  }

  get content(): Bytes {
    return this.#bytes.subarray(this.#place.start, this.#place.end);
  }

  /** The element as it was encoded. */
  get whole(): Bytes {
    return this.#bytes.subarray(this.#place.at, this.#place.next);
  }

  /** The elements inside. */
  get children(): Node[] {
    const { start, end } = this.#place;
    const found: Node[] = [];
    for (let at = start; at < end; ) {
      const element = elementAt(this.#bytes, { at, end, depth: this.depth + 1, budget: this.budget });
      found.push(element);
      at = element.#place.next;
    }
    return found;
  }
}

/** Where an element and its content begin, where the content ends, and where the next element begins. */
interface Extent {
  at: number;
  start: number;
  end: number;
  next: number;
}

interface Surroundings {
  depth: number;
  budget: Budget;
}

/** How many elements may still be read. */
interface Budget {
  elements: number;
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

/** Deeper and more than any honest file. */
const MAX_DEPTH = 48;
const MAX_ELEMENTS = 50_000;

/** Reads the element at the start of `bytes`. What follows the element is ignored. */
export function parse(bytes: Bytes): Node {
  const budget = { elements: MAX_ELEMENTS };
  return elementAt(bytes, { at: 0, end: bytes.length, depth: 0, budget });
}

function elementAt(bytes: Bytes, { at, end: limit, depth, budget }: Surroundings & Within): Node {
  if (depth > MAX_DEPTH) throw damaged('it is nested too deeply');
  const header = headerAt(bytes, { at, end: limit }, budget);
  const { start, length } = header;
  const isIndefinite = length === undefined;
  const end = isIndefinite ? endOfContents(bytes, { at: start, end: limit }, budget) : start + length;
  const next = isIndefinite ? end + END_BYTES : end;
  return new Node(bytes, header, { at, start, end, next, depth, budget });
}

interface Within {
  at: number;
  end: number;
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

function headerAt(bytes: Bytes, { at, end }: Within, budget: Budget): Header {
  if (--budget.elements < 0) throw damaged('it consists of too many elements');
  const identifier = octetAt(bytes, at);
  let next = at + 1;
  let tag = identifier & 0x1f;
  if (tag === 0x1f) {
    tag = 0;
    for (let octet = 0x80; octet & 0x80; next++) {
      if (next - at > MAX_TAG_OCTETS) throw unexpected();
      octet = octetAt(bytes, next);
      tag = tag * 128 + (octet & 0x7f);
    }
  }
  const isConstructed = (identifier & 0x20) !== 0;
  const first = octetAt(bytes, next++);
  const octets = first & 0x7f;
  if (first === INDEFINITE && !isConstructed) throw unexpected();
  if (first > INDEFINITE && octets > MAX_LENGTH_OCTETS) throw cutShort();
  let length = first < INDEFINITE ? first : 0;
  if (first > INDEFINITE) for (let i = 0; i < octets; i++) length = length * 256 + octetAt(bytes, next++);
  if (next + length > end) throw cutShort();
  return {
    ...{ tagClass: identifier >> 6, tag, isConstructed, start: next },
    length: first === INDEFINITE ? undefined : length,
  };
}

const END_BYTES = 2;

/** Where the two zero octets stand that end the contents of an element of indefinite length. */
function endOfContents(bytes: Bytes, { at, end }: Within, budget: Budget): number {
  for (let open = 1; ; ) {
    if (bytes[at] === 0 && bytes[at + 1] === 0 && at + END_BYTES <= end) {
      if (--open === 0) return at;
      at += END_BYTES;
      continue;
    }
    const { start: inside, length } = headerAt(bytes, { at, end }, budget);
    if (length === undefined && ++open > MAX_DEPTH) throw damaged('it is nested too deeply');
    at = inside + (length ?? 0);
  }
}

function octetAt(bytes: Bytes, at: number): number {
  const octet = bytes[at];
  if (octet === undefined) throw cutShort();
  return octet;
}

function cutShort(): MtlsError {
  return damaged('it is cut short, or not valid BER');
}

export function is(node: Node | undefined, tag: number): node is Node {
  return node?.tagClass === UNIVERSAL && node.tag === tag;
}

export function isContext(node: Node | undefined, tag: number): node is Node {
  return node?.tagClass === CONTEXT && node.tag === tag;
}

/** The elements of a constructed one. */
export function children(node: Node | undefined): Node[] {
  if (!node?.isConstructed) throw unexpected();
  return node.children;
}

export function sequence(node: Node | undefined): Node[] {
  if (!is(node, Tag.sequence)) throw unexpected();
  return children(node);
}

/** What is inside an explicit tag. */
export function explicit(node: Node | undefined, tag: number): Node {
  const inner = isContext(node, tag) ? children(node)[0] : undefined;
  if (!inner) throw unexpected();
  return inner;
}

/** Longer than any that is in use. */
const MAX_OID_BYTES = 128;

/** In dotted form. */
export function objectIdentifier(node: Node | undefined): string {
  if (!is(node, Tag.objectIdentifier) || node.content.length > MAX_OID_BYTES) throw unexpected();
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of node.content) {
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    if (octet & 0x80) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [joint, ...rest] = arcs;
  if (joint === undefined) throw unexpected();
  const first = joint < 80n ? joint / 40n : 2n;
  return [first, joint - 40n * first, ...rest].join('.');
}

/** The bytes of an OCTET STRING, or of something that is tagged as one; chunks are joined. */
export function octets(node: Node | undefined): Bytes {
  if (!node) throw unexpected();
  const chunks = chunksOf(node);
  const [only] = chunks;
  return only && chunks.length === 1 ? only : concatenated(chunks);
}

function chunksOf(node: Node): Bytes[] {
  return node.isConstructed ? children(node).flatMap(chunksOf) : [node.content];
}

export function octetString(node: Node | undefined): Bytes {
  if (!is(node, Tag.octetString)) throw unexpected();
  return octets(node);
}

/** More octets than any number has that is counted to. */
const MAX_COUNT_BYTES = 128;

/** A count: zero or more. */
export function count(node: Node | undefined): number {
  const bytes = integer(node);
  if (bytes.length === 0 || bytes.length > MAX_COUNT_BYTES || (bytes[0] ?? 0) >= 0x80) throw unexpected();
  return bytes.reduce((sum, byte) => Math.min(sum * 256 + byte, Number.MAX_SAFE_INTEGER), 0);
}

/** The content of an INTEGER. */
export function integer(node: Node | undefined): Bytes {
  if (!is(node, Tag.integer) || node.isConstructed) throw unexpected();
  return node.content;
}

/** The octets of a BIT STRING without unused bits. */
export function bitString(node: Node | undefined): Bytes {
  if (!is(node, Tag.bitString)) throw unexpected();
  // Each chunk has the number of its unused bits in front.
  return concatenated(chunksOf(node).map(it => it.subarray(1)));
}

export function unexpected(): MtlsError {
  return damaged('something else was expected inside');
}
