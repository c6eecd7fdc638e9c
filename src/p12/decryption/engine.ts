import { Emission } from '../../engine/abi.js';
import { Instance } from '../../engine/instance.js';
import { WireWriter } from '../../engine/wire.js';
import { CertificateReader } from '../../identity/certificates/certificate-reader.js';
import { concatenated } from '../../util/bytes.js';
import { nextTask } from '../../util/turns.js';
import type { HashName } from '../algorithms/hashes.js';
import type { ImportBudget } from '../budget/import-budget.js';

// The numbers of wasm/engine/src/pki/hash.rs, pbe.rs and derivation.rs.
const hashNumbers: Record<HashName, number> = {
  'SHA-1': 1,
  'SHA-224': 2,
  'SHA-256': 3,
  'SHA-384': 4,
  'SHA-512': 5,
  'SHA-512/224': 6,
  'SHA-512/256': 7,
  MD5: 8,
};
const cipherNumbers = {
  '3DES': 1,
  '2-key 3DES': 2,
  RC2: 3,
  'AES-192': 4,
  'AES-128': 5,
  'AES-256': 6,
  DES: 7,
  RC4: 8,
} as const;
const kindNumbers = { pkcs12: 1, pbkdf2: 2, pbkdf1: 3 } as const;

export type EngineCipher = keyof typeof cipherNumbers;

const hashBytes: Record<HashName, number> = {
  'SHA-1': 20,
  'SHA-224': 28,
  'SHA-256': 32,
  'SHA-384': 48,
  'SHA-512': 64,
  'SHA-512/224': 28,
  'SHA-512/256': 32,
  MD5: 16,
};

/** RFC 7292, appendix B.3. */
export const Purpose = { key: 1, iv: 2, mac: 3 } as const;

/** A key derivation: of RFC 7292, appendix B.2, or PBKDF2 or PBKDF1 of RFC 8018, section 5. */
export interface Derivation {
  kind: keyof typeof kindNumbers;
  hash: HashName;
  /** Of `pkcs12`. */
  purpose?: (typeof Purpose)[keyof typeof Purpose];
  /** For `pkcs12` a BMPString with its two zero bytes, or empty; for the others UTF-8. */
  password: Uint8Array;
  salt: Uint8Array;
  iterations: number;
  bytes: number;
}

type Bytes = Uint8Array<ArrayBuffer>;

interface CipherParts {
  key: Uint8Array;
  iv: Uint8Array;
  ciphertext: Uint8Array;
  /** Of RC2. Default: as many as the key has. */
  effectiveBits?: number | undefined;
}

/** Blocks the page for a few milliseconds with the slowest cipher; a multiple of all block sizes. */
const SLICE_BYTES = 32_768;
/** A slice of derivation blocks the page for about so long. */
const SLICE_MS = 6;
/** The 2,048 iterations that most older files have, in one go. */
const FIRST_SLICE = 2_500;

/** The engine's part of one import, in an instance of its own: its memory has held secrets, and is wiped as a whole. */
export class ImportEngine {
  /** Reads the certificates of the file. */
  readonly reader: CertificateReader;
  #instance: Instance;

  static async create(module: WebAssembly.Module): Promise<ImportEngine> {
    return new ImportEngine(await Instance.create(module));
  }

  private constructor(instance: Instance) {
    this.#instance = instance;
    this.reader = new CertificateReader(instance);
  }

  /** Derives a key in slices, between which the page goes on. */
  async derive(derivation: Derivation, budget: ImportBudget): Promise<Uint8Array<ArrayBuffer>> {
    const { kind, hash, purpose, password, salt, iterations, bytes } = derivation;
    const input = new WireWriter().u8(kindNumbers[kind]).u8(hashNumbers[hash]);
    if (kind === 'pkcs12') input.u8(purpose ?? Purpose.key);
    input.u32(iterations).u32(bytes).bytes(password).bytes(salt);
    const handle = this.#callWiping('p12_kdf_new', input.finish()).status;
    // The plan counts each iteration once, however many blocks of key come of it, and the IV not at all.
    const weight = purpose === Purpose.iv ? 0 : 1 / Math.ceil(bytes / hashBytes[hash]);
    if (handle < 0) throw new RangeError('no such key derivation');
    try {
      let slice = FIRST_SLICE;
      let left = iterations;
      for (;;) {
        const start = performance.now();
        const { emitted } = this.#instance.call('p12_kdf_advance', [handle, slice]);
        const key = emitted.find(it => it.kind === Emission.derivedKey)?.bytes;
        budget.complete(key ? (weight ? left : 0) : Math.min(slice * weight, left));
        left = Math.max(left - slice * weight, 0);
        if (key) return key;
        slice = nextSlice(slice, performance.now() - start);
        await nextTask();
        budget.throwIfAborted();
      }
    } finally {
      this.#instance.call('p12_kdf_free', [handle]);
    }
  }

  hashBytes(hash: HashName): number {
    return hashBytes[hash];
  }

  /** Whether `expected` is the HMAC of `data`. */
  macVerifies(hash: HashName, parts: { key: Uint8Array; data: Uint8Array; expected: Uint8Array }): boolean {
    const input = new WireWriter().u8(hashNumbers[hash]);
    input.bytes(parts.key).bytes(parts.data).bytes(parts.expected);
    return this.#callWiping('p12_mac_verify', input.finish()).status === 0;
  }

  /**
   * Decrypts by RC4, or by a block cipher in CBC mode; undefined when the padding is wrong, which the last blocks tell before
   * anything else is decrypted. What is long is decrypted in slices, between which the page goes on.
   */
  async decrypt(cipher: EngineCipher, parts: CipherParts, budget: ImportBudget): Promise<Bytes | undefined> {
    const { iv, ciphertext } = parts;
    if (cipher === 'RC4' || ciphertext.length <= SLICE_BYTES) return this.#decrypt(cipher, parts);
    if (ciphertext.length % iv.length !== 0) return undefined;
    const tail = ciphertext.subarray(-2 * iv.length);
    const last = this.#decrypt(cipher, { ...parts, ciphertext: tail })?.subarray(iv.length);
    return last && this.#decryptInSlices(cipher, parts, { tail, last, budget });
  }

  async #decryptInSlices(
    cipher: EngineCipher,
    { iv, ciphertext, ...parts }: CipherParts,
    { tail, last, budget }: { tail: Uint8Array; last: Bytes; budget: ImportBudget },
  ): Promise<Bytes> {
    const body = ciphertext.subarray(0, -iv.length);
    const plaintext = concatenated([new Uint8Array(body.length), last]);
    last.fill(0);
    try {
      for (let at = 0; at < body.length; at += SLICE_BYTES) {
        const slice = body.subarray(at, at + SLICE_BYTES);
        const previous = at === 0 ? iv : ciphertext.subarray(at - iv.length, at);
        // The last blocks end each slice, so that there is a padding that is right.
        const whole = { ...parts, iv: previous, ciphertext: concatenated([slice, tail]) };
        const decrypted = this.#decrypt(cipher, whole) ?? new Uint8Array();
        plaintext.set(decrypted.subarray(0, slice.length), at);
        decrypted.fill(0);
        await budget.turn();
      }
    } catch (error) {
      plaintext.fill(0);
      throw error;
    }
    return plaintext;
  }

  #decrypt(cipher: EngineCipher, { key, iv, ciphertext, effectiveBits }: CipherParts): Bytes | undefined {
    const input = new WireWriter().u8(cipherNumbers[cipher]).u16(effectiveBits ?? 8 * key.length);
    input.bytes(key).bytes(iv).bytes(ciphertext);
    const { emitted } = this.#callWiping('p12_decrypt', input.finish());
    return emitted.find(it => it.kind === Emission.decrypted)?.bytes;
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
