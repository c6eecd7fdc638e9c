import { element, objectIdentifier, sequence, setOf, Tag } from '../../src/enroll/der.js';
import { type Attribute, attribute, StringTag } from './forged-certificates.js';

/** Pairs of names that are equal, or nearly so: the same each time. */
export function namePairs(count: number, seed = 1): { one: Uint8Array; other: Uint8Array }[] {
  const random = generator(seed);
  return Array.from({ length: count }, () => {
    const drawn = drawName(random);
    return { one: encodeName(drawn, random), other: encodeName(changed(drawn, random), random) };
  });
}

interface Value {
  type: number;
  text: string;
  tag: number;
}

type Random = (below: number) => number;

const CHARACTERS = [
  'a',
  'A',
  'b',
  'Z',
  ' ',
  ' ',
  '\t',
  '\v',
  '1',
  '.',
  'é',
  'É',
  'ß',
  'ſ',
  'K',
  '\u00a0',
  '漢',
  '😀',
];
const TAGS = Object.values(StringTag);

/** mulberry32 */
function generator(seed: number): Random {
  let state = seed;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function drawName(random: Random): Value[][] {
  return Array.from({ length: 1 + random(3) }, () =>
    Array.from({ length: random(4) === 0 ? 2 : 1 }, () => {
      const text = Array.from({ length: random(6) }, () => pick(CHARACTERS, random)).join('');
      return { type: pick([3, 10, 11], random), text, tag: tagFor(text, random) };
    }),
  );
}

/** A type that can hold the text and that OpenSSL reads: surrogates are none to it. */
function tagFor(text: string, random: Random): number {
  const most = Math.max(0, ...Array.from(text, it => it.codePointAt(0) ?? 0));
  const fit = TAGS.filter(tag => {
    if (tag === StringTag.utf8 || tag === StringTag.universal) return true;
    return most <= (tag === StringTag.bmp ? 0xffff : 0xff);
  });
  return pick(fit, random);
}

function changed(name: Value[][], random: Random): Value[][] {
  const rdns = name.map(rdn => rdn.map(value => changedValue(value, random)));
  switch (random(12)) {
    case 0:
      return rdns.toReversed();
    case 1:
      return rdns.slice(0, -1).concat(rdns.slice(-1).flatMap(rdn => rdn.map(value => [value])));
    case 2:
      return rdns.length > 1 ? rdns.slice(1) : rdns;
    default:
      return rdns;
  }
}

function changedValue({ type, text, tag }: Value, random: Random): Value {
  const characters = Array.from(text);
  const at = random(characters.length + 1);
  switch (random(8)) {
    case 0:
      characters.splice(at, 0, ' ');
      break;
    case 1:
      characters.push(pick([' ', '\t', '\f'], random));
      break;
    case 2:
      characters.splice(at, 1);
      break;
    case 3:
      characters.splice(at, 1, pick(CHARACTERS, random));
      break;
    case 4:
      characters.splice(0, characters.length, ...Array.from(text, it => it.toUpperCase()));
      break;
    default:
      characters.splice(0, characters.length, ...Array.from(text, it => (random(2) ? it.toLowerCase() : it)));
  }
  const other = characters.join('');
  return { type, text: other, tag: random(3) && other === text ? tag : tagFor(other, random) };
}

/** The attributes of an RDN in the order of DER, or in another one that readers let pass. */
function encodeName(name: Value[][], random: Random): Uint8Array {
  return sequence(
    ...name.map(rdn => {
      const attributes = rdn.map(({ type, text, tag }) => encodeAttribute(attribute(type, text, tag)));
      return random(2) ? setOf(attributes) : element(Tag.set, ...attributes);
    }),
  );
}

function encodeAttribute({ type, tag, value }: Attribute): Uint8Array {
  return sequence(objectIdentifier(`2.5.4.${type}`), element(tag, value));
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random(items.length)] as T;
}
