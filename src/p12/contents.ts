// The parts of a file, each of which costs itself alone when it cannot be read.
import { MtlsError } from '../errors.js';
import { encryptionCost, macCost } from './algorithms/costs.js';
import type { Encryption } from './algorithms/encryption.js';
import type { Cost, ImportBudget } from './budget/import-budget.js';
import type { Decryption } from './decryption/decrypt.js';
import { damaged, malformed } from './errors.js';
import { BagReader, type Bags } from './structure/bags.js';
import { type Content, type Encrypted, type Pfx, readContent } from './structure/structure.js';

/** The SafeContents of a file; those in clear are read before the engine is even loaded. */
export class Contents {
  readonly #mac: Pfx['mac'];
  readonly #parts: (Bags | Encrypted)[];
  readonly #reader: BagReader;
  readonly #budget: ImportBudget;

  /** @throws MtlsError ERR_P12_MALFORMED beyond a limit */
  static async read({ mac, contents }: Pfx, budget: ImportBudget): Promise<Contents> {
    const { maxParts } = budget.limits;
    if (contents.length > maxParts) throw malformed(`The file has more than ${maxParts} parts.`);
    const reader = new BagReader(budget);
    const parts: (Bags | Encrypted)[] = [];
    for (const content of contents) {
      await budget.turn();
      parts.push(await readPart(readContent(content, budget), reader));
    }
    return new Contents({ mac, parts, reader, budget });
  }

  private constructor(given: {
    mac: Pfx['mac'];
    parts: (Bags | Encrypted)[];
    reader: BagReader;
    budget: ImportBudget;
  }) {
    this.#mac = given.mac;
    this.#parts = given.parts;
    this.#reader = given.reader;
    this.#budget = given.budget;
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
    this.#budget.plan(this.visibleCosts);
  }

  async open(decryption: Decryption): Promise<Bags> {
    const all: Bags = { keys: [], certificates: [], unusable: [] };
    for (const part of this.#parts) {
      await this.#budget.turn();
      const bags = 'keys' in part ? part : await this.#decrypt(part, decryption);
      all.keys.push(...bags.keys);
      all.certificates.push(...bags.certificates);
      all.unusable.push(...bags.unusable);
    }
    return all;
  }

  async #decrypt(part: Encrypted, decryption: Decryption): Promise<Bags> {
    const bags = await decryption.open(part, it => this.#reader.read(it));
    if (!bags) return unusable(decryption.otherPassword('part'));
    const inside = encryptionsOf(bags);
    this.#budget.plan(inside.map(encryptionCost));
    decryption.prefetch(inside);
    return bags;
  }
}

async function readPart(content: Content, reader: BagReader): Promise<Bags | Encrypted> {
  if (content instanceof MtlsError) return unusable(content);
  if (!(content instanceof Uint8Array)) return content;
  return (await reader.read(content)) ?? unusable(damaged('one of its parts cannot be read'));
}

function encryptionsOf({ keys }: Bags): Encryption[] {
  return keys.flatMap(({ key }) => (key instanceof Uint8Array ? [] : [key.encryption]));
}

/** A part of which nothing is of use. */
function unusable(error: MtlsError): Bags {
  return { keys: [], certificates: [], unusable: [{ error }] };
}
