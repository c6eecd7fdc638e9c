import { MtlsError, type MtlsErrorCode } from '../errors.js';

/** What is said when a part cannot be loaded. */
interface Absence {
  code: MtlsErrorCode;
  /** Completes "The part of this library that …". */
  task: string;
}

/**
 * A part of this library that is loaded when it is needed. `browser-mtls/static` brings every part along, for contexts without
 * `import()`.
 */
export class Part<T> {
  #load: () => Promise<T>;
  #absence: Absence;
  #module: T | undefined;

  constructor(load: () => Promise<T>, absence: Absence) {
    this.#load = load;
    this.#absence = absence;
  }

  /** From now on nothing is loaded. */
  provide(module: T): void {
    this.#module = module;
  }

  /** Whether loading can succeed: a service worker has no `import()`. */
  get isAvailable(): boolean {
    return this.#module !== undefined || !('ServiceWorkerGlobalScope' in globalThis);
  }

  /** A failed attempt is not remembered here. @throws MtlsError */
  async load(): Promise<T> {
    try {
      return this.#module ?? (await this.#load());
    } catch (cause) {
      const { code, task } = this.#absence;
      throw new MtlsError(
        code,
        `The part of this library that ${task} could not be loaded: serve all files of the package; in a service worker, import from browser-mtls/static.`,
        { cause },
      );
    }
  }
}
