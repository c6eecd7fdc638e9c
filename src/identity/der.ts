// DER (ITU-T X.690, section 10), as far as names, keys and certificates need it.

/** An element, as views of the bytes that it was read from. */
export interface Element {
  tag: number;
  content: Uint8Array;
  whole: Uint8Array;
}

/** The elements that bytes consist of. Throws a RangeError when they consist of something else. */
export function elementsOf(bytes: Uint8Array = new Uint8Array()): Element[] {
  const found: Element[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const element = firstElementOf(rest);
    found.push(element);
    rest = rest.subarray(element.whole.length);
  }
  return found;
}

/** The element that bytes begin with. Throws a RangeError when there is none. */
export function firstElementOf(bytes: Uint8Array): Element {
  const [tag = 0, first = 0x80] = bytes;
  if (first === 0x80 || first > 0x84) throw new RangeError('not a length of DER');
  const octets = first < 0x80 ? 0 : first & 0x7f;
  const header = 2 + octets;
  const length = bytes.subarray(2, header).reduce((sum, octet) => sum * 256 + octet, octets > 0 ? 0 : first);
  if (header + length > bytes.length) throw new RangeError('an element that is cut short');
  return { tag, content: bytes.subarray(header, header + length), whole: bytes.subarray(0, header + length) };
}

/** What is to be written: an element of a tag and its contents, or bytes as they are. */
export type Der = Uint8Array | { readonly tag: number; readonly contents: readonly Der[] };

export function tagged(tag: number, ...contents: Der[]): Der {
  return { tag, contents };
}

/** Writes into the one array that it gives: nothing else has a copy of what may be secret. */
export function encode(der: Der): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(writtenSize(der));
  write(der, { bytes, at: 0 });
  return bytes;
}

export function element(tag: number, ...contents: Der[]): Uint8Array<ArrayBuffer> {
  return encode({ tag, contents });
}

/** Returns where it ends. */
function write(der: Der, { bytes, at }: { bytes: Uint8Array; at: number }): number {
  if (der instanceof Uint8Array) {
    bytes.set(der, at);
    return at + der.length;
  }
  const header = [der.tag, ...length(contentSize(der.contents))];
  bytes.set(header, at);
  return der.contents.reduce((end: number, each) => write(each, { bytes, at: end }), at + header.length);
}

function writtenSize(der: Der): number {
  if (der instanceof Uint8Array) return der.length;
  const content = contentSize(der.contents);
  return 1 + length(content).length + content;
}

function contentSize(contents: readonly Der[]): number {
  return contents.reduce((sum: number, each) => sum + writtenSize(each), 0);
}

function length(bytes: number): number[] {
  if (bytes < 0x80) return [bytes];
  const octets: number[] = [];
  for (let left = bytes; left > 0; left = Math.floor(left / 256)) octets.unshift(left % 256);
  return [0x80 | octets.length, ...octets];
}
