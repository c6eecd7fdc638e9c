// A thin reading layer over asn1js: views instead of copies, bounded, and errors of one kind.

import * as asn1js from 'asn1js';
import { MtlsError } from '../../errors.js';
import { concatenated } from '../../util/bytes.js';
import { damaged } from '../errors.js';
import { type Element, MAX_DEPTH, MAX_PARSED_ELEMENTS, parsingCost, Tag, unexpected } from './ber-scan.js';

export { Tag, unexpected } from './ber-scan.js';

export type Node = asn1js.AsnType;

const UNIVERSAL = 1;
const CONTEXT = 3;

const options = {
  maxDepth: MAX_DEPTH,
  // The ends of indefinite lengths count as nodes.
  maxNodes: 2 * MAX_PARSED_ELEMENTS,
  // The file's size is bounded.
  maxContentLength: Number.MAX_SAFE_INTEGER,
  copyInput: false,
  parseEmbedded: false,
};

/** What all parsing of a file may cost. */
export interface ParsingBudget {
  countElements(count: number): void;
}

/**
 * Parses an element of which the scan shows that it takes no longer than a page bears; its nodes are views of the same bytes.
 *
 * @throws MtlsError ERR_P12_MALFORMED
 */
export function parse(element: Element, budget?: ParsingBudget): Node {
  const cost = parsingCost(element);
  budget?.countElements(cost);
  return guarded(() => {
    const { offset, result } = asn1js.fromBER(element.whole, options);
    if (offset === -1) throw unexpected();
    return result;
  });
}

/** asn1js and PKI.js throw errors of many kinds at damaged input. */
export function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof MtlsError) throw cause;
    throw damaged('something else was expected inside', cause);
  }
}

export function is(node: Node | undefined, tag: number): node is Node {
  return node !== undefined && node.idBlock.tagClass === UNIVERSAL && node.idBlock.tagNumber === tag;
}

export function isContext(node: Node | undefined, tag: number): node is Node {
  return node !== undefined && node.idBlock.tagClass === CONTEXT && node.idBlock.tagNumber === tag;
}

/** The elements of a constructed one. */
export function children(node: Node | undefined): Node[] {
  const value: unknown = node && (node.valueBlock as { value?: unknown }).value;
  if (!node?.idBlock.isConstructed || !Array.isArray(value)) throw unexpected();
  return value as Node[];
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

export function objectIdentifier(node: Node | undefined): string {
  if (!is(node, Tag.objectIdentifier)) throw unexpected();
  return (node as asn1js.ObjectIdentifier).valueBlock.toString();
}

/** The bytes of an OCTET STRING, or of something that is tagged as one; chunks are joined. */
export function octets(node: Node | undefined): Uint8Array<ArrayBuffer> {
  if (!node) throw unexpected();
  if (!node.idBlock.isConstructed) return primitive(node);
  const parts = children(node).map(octets);
  const [only] = parts;
  if (only && parts.length === 1) return only;
  return concatenated(parts);
}

export function octetString(node: Node | undefined): Uint8Array<ArrayBuffer> {
  if (!is(node, Tag.octetString)) throw unexpected();
  return octets(node);
}

/** More octets than any number has that is counted to. */
const MAX_COUNT_BYTES = 128;

/** A count: zero or more. Read from the bytes, because asn1js gives 0 for INTEGERs of four bytes and more. */
export function count(node: Node | undefined): number {
  const bytes = integer(node);
  if (bytes.length === 0 || bytes.length > MAX_COUNT_BYTES || (bytes[0] ?? 0) >= 0x80) throw unexpected();
  return bytes.reduce((sum, byte) => Math.min(sum * 256 + byte, Number.MAX_SAFE_INTEGER), 0);
}

/** The content of an INTEGER. */
export function integer(node: Node | undefined): Uint8Array<ArrayBuffer> {
  if (!is(node, Tag.integer) || node.idBlock.isConstructed) throw unexpected();
  return primitive(node);
}

/** The octets of a BIT STRING without unused bits. */
export function bitString(node: Node | undefined): Uint8Array<ArrayBuffer> {
  if (!is(node, Tag.bitString)) throw unexpected();
  return octets(node);
}

function primitive(node: Node): Uint8Array<ArrayBuffer> {
  const view: unknown = (node.valueBlock as { valueHexView?: unknown }).valueHexView;
  // asn1js leaves the view out of an empty OCTET STRING.
  if (!(view instanceof Uint8Array)) return new Uint8Array();
  return view as Uint8Array<ArrayBuffer>;
}
