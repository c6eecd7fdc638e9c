import { Instance } from './instance.js';

/** Memory that grew cannot shrink, and no honest certificate or revocation list takes that much. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Keeps an instance of each module for calls that leave nothing behind in it but the outcomes of verified signatures. One that has failed
 * or has grown large is replaced at the next request.
 */
export class KeptInstances {
  #kept = new WeakMap<WebAssembly.Module, Promise<Instance>>();

  /** @throws MtlsError ERR_ENGINE_LOAD */
  async get(module: WebAssembly.Module): Promise<Instance> {
    const kept = await this.#kept.get(module);
    if (kept && !kept.failed && kept.memoryBytes <= MAX_BYTES) return kept;
    const made = Instance.create(module);
    this.#kept.set(module, made);
    made.catch(() => this.#kept.delete(module));
    return made;
  }
}
