// Writing DER (ITU-T X.690, section 10): the few types that a request is made of.
import { element } from '../identity/der.js';

export { element };

export type Der = Uint8Array<ArrayBuffer>;

export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  sequence: 0x30,
  set: 0x31,
} as const;

export function sequence(...contents: Uint8Array[]): Der {
  return element(Tag.sequence, ...contents);
}

/** SET OF: its elements stand in the order of their encodings (section 11.6). */
export function setOf(contents: readonly Uint8Array[]): Der {
  return element(Tag.set, ...[...contents].sort(compare));
}

export function text(tag: number, value: string): Der {
  return element(tag, new TextEncoder().encode(value));
}

export function bitString(bytes: Uint8Array): Der {
  return element(Tag.bitString, Uint8Array.of(0), bytes);
}

/** @throws TypeError unless it is an object identifier in dotted form */
export function objectIdentifier(dotted: string): Der {
  if (!/^(?:[01]\.(?:[0-9]|[1-3][0-9])|2\.(?:0|[1-9]\d*))(?:\.(?:0|[1-9]\d*))*$/.test(dotted))
    throw new TypeError(`not an object identifier: ${JSON.stringify(dotted)}`);
  const [first = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  return element(
    Tag.objectIdentifier,
    ...[first * 40n + second, ...rest].map(arc => Uint8Array.from(base128(arc))),
  );
}

/** Seven bits an octet, the highest bit set in all but the last. */
function base128(arc: bigint): number[] {
  const octets = [Number(arc & 0x7fn)];
  for (let left = arc >> 7n; left > 0n; left >>= 7n) octets.unshift(Number(left & 0x7fn) | 0x80);
  return octets;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1);
}
