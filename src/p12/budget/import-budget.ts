import { MtlsError } from '../../errors.js';
import { orAborted } from '../../util/promises.js';
import { Turns } from '../../util/turns.js';
import { damaged } from '../errors.js';
import type { Pkcs12Limits } from './limits.js';

/** The progress of an import's key derivations. */
export interface ImportProgress {
  /** Iterations that are done. */
  completed: number;
  /** Iterations in all. The number may grow when an encrypted part is opened. */
  total: number;
}

/** What a key derivation costs. */
export interface Cost {
  iterations: number;
  memoryBytes: number;
}

/** On average, of parts and bags: honest ones have about fifty. */
const MAX_ELEMENTS_EACH = 100;

/** What an import may cost: planned before it is spent, and reported as it is. */
export class ImportBudget {
  readonly limits: Pkcs12Limits;
  #onProgress: ((progress: ImportProgress) => void) | undefined;
  #signal: AbortSignal | undefined;
  #total = 0;
  #completed = 0;
  #signatures = 0;
  #elements = 0;
  #turns = new Turns();

  constructor(options: {
    limits: Pkcs12Limits;
    onProgress?: ((progress: ImportProgress) => void) | undefined;
    signal?: AbortSignal | undefined;
  }) {
    this.limits = options.limits;
    this.#onProgress = options.onProgress;
    this.#signal = options.signal;
  }

  /** Call with all that is known to come, before any of it begins. */
  plan(costs: readonly Cost[]): void {
    const excess = this.#excessOf(costs);
    if (excess) throw tooExpensive(excess);
    this.#total += iterationsOf(costs);
  }

  /** Plans what was not foreseen, unless it costs too much. */
  affords(cost: Cost): boolean {
    if (this.#excessOf([cost])) return false;
    this.#total += cost.iterations;
    return true;
  }

  #excessOf(costs: readonly Cost[]): string | undefined {
    const { maxIterations, maxMemoryBytes } = this.limits;
    const total = this.#total + iterationsOf(costs);
    if (total > maxIterations)
      return `The file asks for ${total} iterations of key derivation, the limit is ${maxIterations}.`;
    const memoryBytes = Math.max(0, ...costs.map(it => it.memoryBytes));
    if (memoryBytes > maxMemoryBytes)
      return `The file asks for ${memoryBytes} bytes of memory to derive a key, the limit is ${maxMemoryBytes}.`;
    return undefined;
  }

  complete(iterations: number): void {
    this.#completed = Math.min(this.#completed + iterations, this.#total);
    this.#report();
  }

  /** Nothing more is to be derived, although more had been planned. */
  finish(): void {
    if (this.#completed === this.#total) return;
    this.#completed = this.#total;
    this.#report();
  }

  #report(): void {
    const progress = { completed: Math.round(this.#completed), total: this.#total };
    // In a turn of its own, as events are: what the callback throws is no failure of the import.
    queueMicrotask(() => this.#onProgress?.(progress));
  }

  /** Call before a part of the file is parsed that consists of so many elements. */
  countElements(count: number): void {
    const { maxParts, maxBags } = this.limits;
    this.#elements += count;
    if (this.#elements > MAX_ELEMENTS_EACH * (maxParts + maxBags))
      throw damaged('it consists of too many elements');
  }

  /** Call before each signature that is verified. True: it may be. */
  async countSignature(): Promise<true> {
    const { maxSignatures } = this.limits;
    if (++this.#signatures > maxSignatures) {
      throw tooExpensive(
        `Its keys and certificates ask for more than ${maxSignatures} signatures to be verified (limits.maxSignatures).`,
      );
    }
    await this.turn();
    return true;
  }

  /** Call in each loop over what a file holds: looks at the signal, and lets the page go on when it has waited for long. */
  async turn(): Promise<void> {
    await this.#turns.next();
    this.throwIfAborted();
  }

  /** What a promise gives, or the signal's reason as soon as it comes: what runs on has nobody who waits for it. */
  untilAborted<T>(promise: Promise<T>): Promise<T> {
    return orAborted(promise, this.#signal);
  }

  throwIfAborted(): void {
    this.#signal?.throwIfAborted();
  }
}

function iterationsOf(costs: readonly Cost[]): number {
  return costs.reduce((sum, it) => sum + it.iterations, 0);
}

function tooExpensive(message: string): MtlsError {
  return new MtlsError('ERR_P12_TOO_EXPENSIVE', message);
}
