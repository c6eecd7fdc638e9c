import { Part } from '../../util/part.js';
import { costOf } from '../algorithms/costs.js';
import type { Encryption, Pbes2 } from '../algorithms/encryption.js';
import type { Pbkdf2, Scrypt } from '../algorithms/key-derivation.js';
import type { Cost, ImportBudget } from '../budget/import-budget.js';
import type { Mac } from '../structure/structure.js';
import type { ImportEngine, Purpose } from './engine.js';

/** @internal */
export const scryptPart = /* @__PURE__ */ new Part(() => import('./scrypt.js'), {
  code: 'ERR_ENGINE_LOAD',
  task: 'derives keys by scrypt',
});

/** A reading of a password. */
type Password = Uint8Array<ArrayBuffer>;

/** Those of WebCrypto's PBKDF2 and HMAC. */
export const webCryptoHashes: readonly string[] = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'];

/** The keys that an import derives from readings of its passwords: each once, however many parts of the file share it. */
export class Derivations {
  readonly #engine: ImportEngine;
  readonly #budget: ImportBudget;
  readonly #known = new Map<string, Promise<unknown>>();
  readonly #secrets: Uint8Array[] = [];
  /** The passwords, so that what is known has a number in its name and not the password. */
  readonly #passwords: Uint8Array[] = [];
  #wiped = false;

  constructor(engine: ImportEngine, budget: ImportBudget) {
    this.#engine = engine;
    this.#budget = budget;
  }

  /** The key bytes of a PBES2 or of a PBMAC1. */
  bytes(
    derivation: Pbkdf2 | Scrypt,
    { password, bytes }: { password: Password; bytes: number },
  ): Promise<Uint8Array<ArrayBuffer>> {
    const question = ['bytes', derivation, bytes, this.#numberOf(password)];
    return this.#once(question, costOf(derivation), async () => {
      if (derivation.kind === 'scrypt') return this.#scrypt(derivation, { password, bytes });
      if (!derivesInWebCrypto(derivation, password)) {
        const { kind, hash, salt, iterations } = derivation;
        return this.#engineKey({ kind, hash, salt, iterations, password, bytes });
      }
      const { base, parameters } = await this.#pbkdf2(derivation, { password, usage: 'deriveBits' });
      return this.#secret(new Uint8Array(await crypto.subtle.deriveBits(parameters, base, 8 * bytes)));
    });
  }

  /** An AES key for decrypting and unwrapping; of PBKDF2 with WebCrypto's hashes its bytes never come to JavaScript. */
  aesKey({ derivation, cipher, keyBytes: bytes }: Pbes2, password: Password): Promise<CryptoKey> {
    const algorithm = { name: cipher === 'AES' ? 'AES-CBC' : cipher, length: 8 * bytes };
    const usages: KeyUsage[] = ['decrypt', 'unwrapKey'];
    if (derivation.kind === 'scrypt' || !derivesInWebCrypto(derivation, password)) {
      return this.bytes(derivation, { password, bytes }).then(key =>
        crypto.subtle.importKey('raw', key, algorithm, false, usages),
      );
    }
    const question = [algorithm, derivation, this.#numberOf(password)];
    return this.#once(question, costOf(derivation), async () => {
      const { base, parameters } = await this.#pbkdf2(derivation, { password, usage: 'deriveKey' });
      return crypto.subtle.deriveKey(parameters, base, algorithm, false, usages);
    });
  }

  /** RFC 7292, appendix B.2. */
  pkcs12(
    parameters: {
      hash: Mac['scheme']['hash'];
      purpose: (typeof Purpose)[keyof typeof Purpose];
      salt: Uint8Array;
      iterations: number;
    },
    { password, bytes }: { password: Password; bytes: number },
  ): Promise<Uint8Array<ArrayBuffer>> {
    // The slices report their progress themselves.
    return this.#once(['pkcs12', parameters, bytes, this.#numberOf(password)], undefined, () =>
      this.#engineKey({ kind: 'pkcs12', ...parameters, password, bytes }),
    );
  }

  /** RFC 8018, section 5.1. */
  pbkdf1(
    parameters: { hash: 'MD5' | 'SHA-1'; salt: Uint8Array; iterations: number },
    { password, bytes }: { password: Password; bytes: number },
  ): Promise<Uint8Array<ArrayBuffer>> {
    return this.#once(['pbkdf1', parameters, bytes, this.#numberOf(password)], undefined, () =>
      this.#engineKey({ kind: 'pbkdf1', ...parameters, password, bytes }),
    );
  }

  /** Begins what WebCrypto derives beside other work. */
  prefetch(encryption: Encryption, password: Password): void {
    if (encryption.kind !== 'pbes2' || encryption.derivation.kind !== 'pbkdf2') return;
    if (!derivesInWebCrypto(encryption.derivation, password)) return;
    const { derivation, keyBytes: bytes } = encryption;
    const key = inWebCrypto(encryption)
      ? this.aesKey(encryption, password)
      : this.bytes(derivation, { password, bytes });
    // Whoever decrypts learns of it.
    key.catch(() => {});
  }

  wipe(): void {
    this.#wiped = true;
    for (const bytes of this.#secrets) bytes.fill(0);
  }

  #numberOf(password: Password): number {
    if (!this.#passwords.includes(password)) this.#passwords.push(password);
    return this.#passwords.indexOf(password);
  }

  #secret(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    // What was begun early may end after a failed import.
    if (this.#wiped) bytes.fill(0);
    this.#secrets.push(bytes);
    return bytes;
  }

  async #once<T>(question: unknown, cost: Cost | undefined, derive: () => Promise<T>): Promise<T> {
    const name = JSON.stringify(question, (_, value) =>
      value instanceof Uint8Array ? Array.from(value) : value,
    );
    const known = this.#known.get(name) as Promise<T> | undefined;
    const deriving = known ?? derive();
    if (!known) this.#known.set(name, deriving);
    // WebCrypto does not end a derivation that it has begun.
    const derived = await this.#budget.untilAborted(deriving);
    if (cost) this.#budget.complete(cost.iterations);
    this.#budget.throwIfAborted();
    return derived;
  }

  async #engineKey(derivation: Parameters<ImportEngine['derive']>[0]): Promise<Uint8Array<ArrayBuffer>> {
    return this.#secret(await this.#engine.derive(derivation, this.#budget));
  }

  async #pbkdf2(
    { hash, salt, iterations }: Pbkdf2,
    { password, usage }: { password: Password; usage: 'deriveKey' | 'deriveBits' },
  ) {
    const base = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, [usage]);
    return { base, parameters: { name: 'PBKDF2', hash, salt, iterations } };
  }

  async #scrypt(
    { salt, cost, blockSize, parallelization }: Scrypt,
    { password, bytes }: { password: Password; bytes: number },
  ) {
    const { scryptAsync } = await scryptPart.load();
    const key = await scryptAsync(password, salt, {
      N: cost,
      r: blockSize,
      p: parallelization,
      dkLen: bytes,
      maxmem: this.#budget.limits.maxMemoryBytes + HEADROOM_BYTES,
      asyncTick: SLICE_MS,
      onProgress: () => this.#budget.throwIfAborted(),
    });
    return this.#secret(key as Uint8Array<ArrayBuffer>);
  }
}

/** WebKitGTK derives nothing from an empty password. */
function derivesInWebCrypto({ hash }: Pbkdf2, password: Password): boolean {
  return password.length > 0 && webCryptoHashes.includes(hash);
}

/** scrypt's own buffers beside the large one. */
const HEADROOM_BYTES = 1024 * 1024;
const SLICE_MS = 8;

/** Chromium has no AES-192, and nobody the others: those are the engine's. */
export function inWebCrypto({ cipher, keyBytes }: Pbes2): boolean {
  return cipher === 'AES-GCM' || (cipher === 'AES' && keyBytes !== 24);
}

/** How WebCrypto is told of the cipher. */
export function webCryptoCipher({ cipher, iv, tagBytes = 16 }: Pbes2): AesCbcParams | AesGcmParams {
  return cipher === 'AES-GCM' ? { name: cipher, iv, tagLength: 8 * tagBytes } : { name: 'AES-CBC', iv };
}
