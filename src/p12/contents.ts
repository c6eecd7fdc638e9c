// The parts of a file, each of which costs itself alone when it cannot be read.
import { MtlsError } from '../errors.js';
import type { Encryption } from './algorithms.js';
import { BagReader, type Bags } from './bags.js';
import type { Session } from './decrypt.js';
import { damaged, malformed } from './errors.js';
import type { Cost, Work } from './import-budget.js';
import { type Content, type Encrypted, encryptionCost, macCost, type Pfx, readContent } from './structure.js';

/** The SafeContents of a file; those in clear are read before the engine is even loaded. */
export class Contents {
  readonly #mac: Pfx['mac'];
  readonly #parts: (Bags | Encrypted)[];
  readonly #reader: BagReader;
  readonly #work: Work;

  /** @throws MtlsError ERR_P12_MALFORMED beyond a limit */
  static async read({ mac, contents }: Pfx, work: Work): Promise<Contents> {
    const { maxParts } = work.limits;
    if (contents.length > maxParts) throw malformed(`The file has more than ${maxParts} parts.`);
    const reader = new BagReader(work.limits);
    const parts: (Bags | Encrypted)[] = [];
    for (const content of contents) {
      await work.turn();
      parts.push(readPart(readContent(content), reader));
    }
    return new Contents({ mac, parts, reader, work });
  }

  private constructor(given: {
    mac: Pfx['mac'];
    parts: (Bags | Encrypted)[];
    reader: BagReader;
    work: Work;
  }) {
    this.#mac = given.mac;
    this.#parts = given.parts;
    this.#reader = given.reader;
    this.#work = given.work;
  }

  /** Of the parts and of the keys outside of them. */
  get encryptions(): Encryption[] {
    return this.#parts.flatMap(part => ('keys' in part ? encryptionsOf(part) : [part.encryption]));
  }

  get visibleCosts(): Cost[] {
    return [...(this.#mac ? [macCost(this.#mac)] : []), ...this.encryptions.map(encryptionCost)];
  }

  /** Why no key can be read, whatever the password is, as far as the file's outside tells. */
  get hopeless(): MtlsError | undefined {
    const visible = this.#parts.flatMap(part => ('keys' in part ? [part] : []));
    if (visible.some(it => it.keys.length > 0)) return undefined;
    const isClear = visible.length === this.#parts.length;
    const unusable = visible.flatMap(it => it.unusable);
    return unusable.find(it => (it.isKey || isClear) && it.error.code === 'ERR_P12_UNSUPPORTED')?.error;
  }

  plan(): void {
    this.#work.plan(this.visibleCosts);
  }

  async open(session: Session): Promise<Bags> {
    const all: Bags = { keys: [], certificates: [], unusable: [] };
    for (const part of this.#parts) {
      await this.#work.turn();
      const bags = 'keys' in part ? part : await this.#decrypt(part, session);
      all.keys.push(...bags.keys);
      all.certificates.push(...bags.certificates);
      all.unusable.push(...bags.unusable);
    }
    return all;
  }

  async #decrypt(part: Encrypted, session: Session): Promise<Bags> {
    const bags = await session.open(part, it => this.#reader.read(it));
    if (!bags) return unusable(session.otherPassword('part'));
    const inside = encryptionsOf(bags);
    this.#work.plan(inside.map(encryptionCost));
    session.prefetch(inside);
    return bags;
  }
}

function readPart(content: Content, reader: BagReader): Bags | Encrypted {
  if (content instanceof MtlsError) return unusable(content);
  if (!(content instanceof Uint8Array)) return content;
  return reader.read(content) ?? unusable(damaged('one of its parts cannot be read'));
}

function encryptionsOf({ keys }: Bags): Encryption[] {
  return keys.flatMap(({ key }) => (key instanceof Uint8Array ? [] : [key.encryption]));
}

/** A part of which nothing is of use. */
function unusable(error: MtlsError): Bags {
  return { keys: [], certificates: [], unusable: [{ error }] };
}
