// A thin reading layer over asn1js: views instead of copies, bounded, and errors of one kind.

import * as asn1js from 'asn1js';
import { MtlsError } from '../errors.js';
import { concatenated } from '../util/bytes.js';
import { damaged } from './errors.js';

export type Node = asn1js.AsnType;

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

const UNIVERSAL = 1;
const CONTEXT = 3;

/** Deeper and more than any honest file, and little enough for the stack. */
const limits = { maxDepth: 48, maxNodes: 100_000 };

/** Reads the BER element at the start of `bytes`; its nodes are views of them. What follows the element is ignored. */
export function parse(bytes: Uint8Array<ArrayBuffer>): Node {
  return guarded(() => {
    const options = { ...limits, copyInput: false, parseEmbedded: false };
    const { offset, result } = asn1js.fromBER(bytes, options);
    if (offset === -1) throw damaged('it is cut short, or not valid BER');
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

/** A count: zero or more. Read from the bytes, because asn1js gives 0 for INTEGERs of four bytes and more. */
export function count(node: Node | undefined): number {
  const bytes = integer(node);
  if (bytes.length === 0 || (bytes[0] ?? 0) >= 0x80) throw unexpected();
  return bytes.reduce((sum, byte) => Math.min(sum * 256 + byte, Number.MAX_SAFE_INTEGER), 0);
}

/** The content of an INTEGER. */
export function integer(node: Node | undefined): Uint8Array<ArrayBuffer> {
  if (!is(node, Tag.integer)) throw unexpected();
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

export function unexpected(): Error {
  return damaged('something else was expected inside');
}
