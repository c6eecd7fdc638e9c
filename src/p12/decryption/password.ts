import { equalBytes } from '../../util/bytes.js';

// Passwords are texts, keys are derived from bytes, and producers do not agree on the way between the two.

type Bytes = Uint8Array<ArrayBuffer>;

/** What is encrypted: a key, or a part with bags in it. */
export type Use = 'private key' | 'part';

/** How a scheme takes a password: as a string of bytes (PBES2, PBES1, PBMAC1), or as a BMPString (RFC 7292, appendix B.1). */
export type Form = 'octets' | 'bmp';

/** The bytes that producers make of a password, in the order of their likelihood, none of them twice. */
export type Readings = Record<Form, Bytes[]>;

/**
 * Of terminals, whose bytes OpenSSL takes as they come, and of the code pages of Windows. Latin-1 is part of the first one, as far
 * as it has letters.
 */
const terminals = [
  ...['windows-1252', 'iso-8859-15', 'windows-1250', 'iso-8859-2', 'windows-1251', 'koi8-r', 'iso-8859-5'],
  ...['windows-1253', 'iso-8859-7', 'windows-1254'],
];

export function readingsOf(password: string): Readings {
  const units = Array.from({ length: password.length }, (_, i) => password.charCodeAt(i));
  const utf8 = new TextEncoder().encode(password);
  const ofTerminals = terminals.flatMap(label => inEncoding(password, label) ?? []);
  const bmp = bmpString(units);
  return {
    octets: distinct([
      utf8,
      ...ofTerminals,
      // Converters to "8 bit".
      Uint8Array.from(units),
      mixed(units),
      // Older NSS, and whoever treats all schemes alike.
      bmp,
      bmp.slice(0, -2),
    ]),
    bmp: distinct([
      bmp,
      // GnuTLS: no password.
      ...(password === '' ? [new Uint8Array()] : []),
      // OpenSSL makes a character of each byte: up to 1.0 of every password, then of those that are not UTF-8.
      ...[utf8, ...ofTerminals].map(octets => bmpString([...octets])),
    ]),
  };
}

/**
 * node-forge hashes four characters as one word, and does not cut them to bytes: the high byte of a character falls on the one in front
 * of it, unless that belongs to another word.
 */
function mixed(units: readonly number[]): Bytes {
  return Uint8Array.from(units, (unit, i) => (i % 4 === 3 ? unit : unit ^ ((units[i + 1] ?? 0) >> 8)));
}

/** Undefined when the encoding, which has one byte for each character, does not have them all. */
function inEncoding(text: string, label: string): Bytes | undefined {
  const table = new TextDecoder(label).decode(Uint8Array.from({ length: 256 }, (_, i) => i));
  const bytes = Array.from(text, character => table.indexOf(character));
  return bytes.includes(-1) ? undefined : Uint8Array.from(bytes);
}

function bmpString(units: readonly number[]): Bytes {
  const bytes = new Uint8Array(2 * units.length + 2);
  for (const [i, unit] of units.entries()) {
    bytes[2 * i] = unit >> 8;
    bytes[2 * i + 1] = unit & 0xff;
  }
  return bytes;
}

function distinct(all: readonly Bytes[]): Bytes[] {
  return all.filter((bytes, i) => all.findIndex(it => equalBytes(it, bytes)) === i);
}

function without({ octets, bmp }: Readings, known: Readings): Readings {
  const others = (all: Bytes[], known: Bytes[]) =>
    all.filter(it => !known.some(bytes => equalBytes(it, bytes)));
  return { octets: others(octets, known.octets), bmp: others(bmp, known.bmp) };
}

/** The password of a file and that of its keys, if it is another one. */
export class Passwords {
  readonly #password: Readings;
  readonly #keyPassword: Readings | undefined;
  /** Readings by which something has been opened: they come first from then on. */
  readonly #worked = new Set<Bytes>();

  constructor(password: string, keyPassword: string | undefined) {
    this.#password = readingsOf(password);
    this.#keyPassword =
      keyPassword === undefined ? undefined : without(readingsOf(keyPassword), this.#password);
  }

  /** Whether there is one for the keys. */
  get hasKeyPassword(): boolean {
    return this.#keyPassword !== undefined;
  }

  /** To be wiped. */
  get secrets(): Bytes[] {
    return [this.#password, ...(this.#keyPassword ? [this.#keyPassword] : [])].flatMap(it => [
      ...it.octets,
      ...it.bmp,
    ]);
  }

  /** The one that is tried first as long as nothing has been opened. */
  likeliest(form: Form, use: Use): Bytes | undefined {
    return this.#inOrder(form, use)[0];
  }

  /** In the order in which they are to be tried: those that worked, the usual ones of both passwords, the others. */
  readings(form: Form, use: Use): Bytes[] {
    return this.#inOrder(form, use).sort((a, b) => Number(this.#worked.has(b)) - Number(this.#worked.has(a)));
  }

  #inOrder(form: Form, use: Use): Bytes[] {
    const own = this.#password[form];
    const other = this.#keyPassword?.[form] ?? [];
    const [first, second] = use === 'private key' ? [other, own] : [own, other];
    return [first.slice(0, 1), second.slice(0, 1), first.slice(1), second.slice(1)].flat();
  }

  worked(reading: Bytes): void {
    this.#worked.add(reading);
  }
}
