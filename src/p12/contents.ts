// The parts of a file, each of which costs itself alone when it cannot be read.
import { MtlsError } from '../errors.js';
import type { Encryption } from './algorithms.js';
import { BagReader, type Bags } from './bags.js';
import type { Session } from './decrypt.js';
import { damaged } from './errors.js';
import type { Cost, Work } from './import-budget.js';
import { type Encrypted, encryptionCost, macCost, type Pfx } from './structure.js';

/** The SafeContents of a file; those in clear are read before the engine is even loaded. */
export class Contents {
  readonly #mac: Pfx['mac'];
  readonly #parts: (Bags | Encrypted)[];
  readonly #reader: BagReader;
  readonly #work: Work;

  constructor({ mac, contents }: Pfx, work: Work) {
    this.#mac = mac;
    this.#work = work;
    this.#reader = new BagReader(work.limits);
    this.#parts = contents.map(it => this.#readPart(it));
  }

  #readPart(content: Pfx['contents'][number]): Bags | Encrypted {
    if (content instanceof MtlsError) return unusable(content);
    if (!(content instanceof Uint8Array)) return content;
    return this.#reader.read(content) ?? unusable(damaged('one of its parts cannot be read'));
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

function encryptionsOf({ keys }: Bags): Encryption[] {
  return keys.flatMap(({ key }) => (key instanceof Uint8Array ? [] : [key.encryption]));
}

/** A part of which nothing is of use. */
function unusable(error: MtlsError): Bags {
  return { keys: [], certificates: [], unusable: [{ error }] };
}
