import { MtlsError } from '../errors.js';
import type { Encryption, Pbes1, Pbes2, Pkcs12Pbe } from './algorithms.js';
import { Derivations, inWebCrypto, webCryptoCipher } from './derivations.js';
import { type EngineCipher, type ImportEngine, Purpose } from './engine.js';
import { damaged, wrongPassword } from './errors.js';
import type { Password } from './password.js';
import type { Encrypted, Mac, Pfx } from './structure.js';
import type { Work } from './work.js';

/** One import: the password, the means, and what has to be wiped. */
export class Session {
  readonly engine: ImportEngine;
  readonly work: Work;
  /** Whether something has shown that the password is right. If so, what cannot be read is damaged. */
  passwordProven = false;
  /** Whether the MAC has shown that nothing is damaged either. */
  intact = false;
  /** Whether a sealed copy is kept of each private key. */
  sealedCopy = false;
  #password: Password;
  #derivations: Derivations;
  #secrets: Uint8Array[] = [];

  constructor(engine: ImportEngine, work: Work, password: Password) {
    this.engine = engine;
    this.work = work;
    this.#password = password;
    this.#derivations = new Derivations(engine, work, password.utf8);
    this.#secrets.push(password.utf8, ...password.bmp);
  }

  /** Overwritten by `wipe`. */
  secret(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    this.#secrets.push(bytes);
    return bytes;
  }

  wipe(): void {
    for (const bytes of this.#secrets) bytes.fill(0);
    this.#derivations.wipe();
    this.engine.wipe();
  }

  /** What a failure to decrypt means. */
  unreadable(): MtlsError {
    return this.passwordProven ? damaged('a part cannot be decrypted') : wrongPassword();
  }

  /** Begins to derive the keys of parts that will be decrypted. */
  prefetch(encryptions: readonly Encryption[]): void {
    for (const encryption of encryptions) this.#derivations.prefetch(encryption);
  }

  /** Checks the MAC (RFC 7292, section 5.1). Without one, the password is proven by what it decrypts. */
  async checkMac({ mac, authenticated }: Pfx): Promise<void> {
    if (!mac) return;
    for await (const { key, used } of this.#macKeys(mac)) {
      const parts = { key, data: authenticated, expected: mac.digest };
      if (!this.engine.macVerifies(mac.scheme.hash, parts)) continue;
      this.passwordProven = true;
      this.intact = true;
      // The other readings of the password stay, behind it: some writers use one here and another there.
      this.#password.bmp.sort((a, b) => Number(b === used) - Number(a === used));
      return;
    }
    throw wrongPassword();
  }

  async *#macKeys({ scheme, salt, iterations }: Mac) {
    if (scheme.kind === 'pbmac1') {
      yield { key: await this.#derivations.bytes(scheme.derivation, scheme.keyBytes) };
      return;
    }
    const { hash } = scheme;
    const bytes = this.engine.hashBytes(hash);
    for (const password of [...this.#password.bmp]) {
      const parameters = { hash, purpose: Purpose.mac, salt, iterations };
      yield { key: await this.#derivations.pkcs12(parameters, { password, bytes }), used: password };
    }
  }

  /** Decrypts and reads; what does not read is taken for badly decrypted, as one wrong password in 256 passes the padding. */
  async open<T>(encrypted: Encrypted, read: (plaintext: Uint8Array<ArrayBuffer>) => T): Promise<T> {
    let cause: unknown;
    for await (const plaintext of this.#decryptions(encrypted)) {
      try {
        const result = read(this.secret(plaintext));
        this.passwordProven = true;
        return result;
      } catch (error) {
        // Bags were found, so the password is right: their own algorithms are another matter.
        if (error instanceof MtlsError && error.code === 'ERR_P12_UNSUPPORTED') throw error;
        cause = error;
      }
    }
    if (this.passwordProven && cause) throw cause;
    throw this.unreadable();
  }

  async *#decryptions({ encryption, ciphertext }: Encrypted): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (encryption.kind !== 'pkcs12') {
      const decrypting =
        encryption.kind === 'pbes2'
          ? this.#decryptPbes2(encryption, ciphertext)
          : this.#decryptPbes1(encryption, ciphertext);
      const plaintext = await decrypting;
      if (plaintext) yield plaintext;
      return;
    }
    for (const password of this.#password.bmp) {
      const plaintext = await this.#decryptPkcs12(encryption, { password, ciphertext });
      if (plaintext) yield plaintext;
    }
  }

  async #decryptPkcs12(
    { cipher, keyBytes, salt, iterations }: Pkcs12Pbe,
    { password, ciphertext }: { password: Uint8Array; ciphertext: Uint8Array },
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const common = { hash: 'SHA-1', salt, iterations } as const;
    const derive = (purpose: typeof Purpose.key | typeof Purpose.iv, bytes: number) =>
      this.#derivations.pkcs12({ ...common, purpose }, { password, bytes });
    const key = await derive(Purpose.key, keyBytes);
    const iv = cipher === 'RC4' ? new Uint8Array() : await derive(Purpose.iv, 8);
    return this.engine.decrypt(cipher, { key, iv, ciphertext });
  }

  async #decryptPbes1(
    { hash, cipher, salt, iterations }: Pbes1,
    ciphertext: Uint8Array,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const derived = await this.#derivations.pbkdf1({ hash, salt, iterations, bytes: 16 });
    const [key, iv] = [derived.subarray(0, 8), derived.subarray(8)];
    return this.engine.decrypt(cipher, { key, iv, ciphertext });
  }

  async #decryptPbes2(
    encryption: Pbes2,
    ciphertext: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { derivation, keyBytes, effectiveBits, iv } = encryption;
    if (!inWebCrypto(encryption)) {
      const key = await this.#derivations.bytes(derivation, keyBytes);
      return this.engine.decrypt(engineCipher(encryption), { key, iv, ciphertext, effectiveBits });
    }
    const key = await this.#derivations.aesKey(encryption);
    try {
      return new Uint8Array(await crypto.subtle.decrypt(webCryptoCipher(encryption), key, ciphertext));
    } catch {
      return undefined;
    }
  }

  /** The key that unwraps a shrouded key, if WebCrypto has its algorithm: then the clear key never comes to JavaScript. */
  async unwrappingKey({
    encryption,
  }: Encrypted): Promise<{ key: CryptoKey; cipher: AesCbcParams | AesGcmParams } | undefined> {
    if (encryption.kind !== 'pbes2' || !inWebCrypto(encryption)) return undefined;
    return { key: await this.#derivations.aesKey(encryption), cipher: webCryptoCipher(encryption) };
  }
}

function engineCipher({ cipher }: Pbes2): EngineCipher {
  // The others are WebCrypto's.
  return cipher === 'AES' || cipher === 'AES-GCM' ? 'AES-192' : cipher;
}
