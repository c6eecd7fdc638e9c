import { Emission } from '../engine/abi.js';
import { Instance } from '../engine/instance.js';
import { WireWriter } from '../engine/wire.js';
import { type ReadCertificate, readCertificate } from '../identity/certificate.js';
import type { HashName } from './algorithms.js';
import { nextTask, type Work } from './work.js';

// The numbers of wasm/engine/src/pki/hash.rs and pbe.rs.
const hashNumbers: Record<HashName, number> = {
  'SHA-1': 1,
  'SHA-224': 2,
  'SHA-256': 3,
  'SHA-384': 4,
  'SHA-512': 5,
};
const cipherNumbers = { '3DES': 1, '2-key 3DES': 2, RC2: 3, 'AES-192': 4 } as const;

export type EngineCipher = keyof typeof cipherNumbers;

const hashBytes: Record<HashName, number> = {
  'SHA-1': 20,
  'SHA-224': 28,
  'SHA-256': 32,
  'SHA-384': 48,
  'SHA-512': 64,
};

/** RFC 7292, appendix B.3. */
export const Purpose = { key: 1, iv: 2, mac: 3 } as const;

export interface Derivation {
  hash: HashName;
  purpose: (typeof Purpose)[keyof typeof Purpose];
  /** BMPString with its two zero bytes, or empty. */
  password: Uint8Array;
  salt: Uint8Array;
  iterations: number;
  bytes: number;
}

/** A slice of derivation blocks the page for about so long. */
const SLICE_MS = 6;
const FIRST_SLICE = 2_000;

/** The engine's part of one import, in an instance of its own: its memory has held secrets, and is wiped as a whole. */
export class ImportEngine {
  #instance: Instance;

  static async create(module: WebAssembly.Module): Promise<ImportEngine> {
    return new ImportEngine(await Instance.create(module));
  }

  private constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** The key derivation of RFC 7292, appendix B.2, in slices between which the page goes on. */
  async derive(derivation: Derivation, work: Work): Promise<Uint8Array<ArrayBuffer>> {
    const { hash, purpose, password, salt, iterations, bytes } = derivation;
    const input = new WireWriter();
    input.u8(hashNumbers[hash]).u8(purpose).u32(iterations).u32(bytes).bytes(password).bytes(salt);
    const handle = this.#callWiping('p12_kdf_new', input.finish()).status;
    // The plan counts each iteration once, however many blocks of key come of it, and the IV not at all.
    const weight = purpose === Purpose.iv ? 0 : 1 / Math.ceil(bytes / hashBytes[hash]);
    try {
      let slice = FIRST_SLICE;
      let left = iterations;
      for (;;) {
        const start = performance.now();
        const { emitted } = this.#instance.call('p12_kdf_advance', [handle, slice]);
        const key = emitted.find(it => it.kind === Emission.derivedKey)?.bytes;
        work.complete(key ? left : Math.min(slice * weight, left));
        left = Math.max(left - slice * weight, 0);
        if (key) return key;
        slice = nextSlice(slice, performance.now() - start);
        await nextTask();
        work.throwIfAborted();
      }
    } finally {
      this.#instance.call('p12_kdf_free', [handle]);
    }
  }

  /** Whether `expected` is the HMAC of `data`. */
  macVerifies(hash: HashName, parts: { key: Uint8Array; data: Uint8Array; expected: Uint8Array }): boolean {
    const input = new WireWriter().u8(hashNumbers[hash]);
    input.bytes(parts.key).bytes(parts.data).bytes(parts.expected);
    return this.#callWiping('p12_mac_verify', input.finish()).status === 0;
  }

  /** CBC decryption; undefined when the padding is wrong. */
  decrypt(
    cipher: EngineCipher,
    parts: { key: Uint8Array; iv: Uint8Array; ciphertext: Uint8Array },
  ): Uint8Array<ArrayBuffer> | undefined {
    const input = new WireWriter().u8(cipherNumbers[cipher]);
    input.bytes(parts.key).bytes(parts.iv).bytes(parts.ciphertext);
    const { emitted } = this.#callWiping('p12_decrypt', input.finish());
    return emitted.find(it => it.kind === Emission.decrypted)?.bytes;
  }

  readCertificate(der: Uint8Array): ReadCertificate {
    return readCertificate(this.#instance, der);
  }

  /** The engine is of no use afterwards. */
  wipe(): void {
    this.#instance.memory().fill(0);
  }

  #callWiping(name: string, input: Uint8Array) {
    try {
      return this.#instance.call(name, [input]);
    } finally {
      input.fill(0);
    }
  }
}

/** Grows and shrinks at most eightfold, so that one odd measurement does no harm. */
function nextSlice(slice: number, tookMs: number): number {
  const factor = SLICE_MS / Math.max(tookMs, 0.1);
  return Math.round(slice * Math.min(Math.max(factor, 1 / 8), 8));
}
