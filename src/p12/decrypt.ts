import { MtlsError } from '../errors.js';
import type { Pbes2, Pkcs12Pbe } from './algorithms.js';
import { type ImportEngine, Purpose } from './engine.js';
import { malformed, wrongPassword } from './errors.js';
import type { Password } from './password.js';
import type { Encrypted, Pfx } from './structure.js';
import type { Work } from './work.js';

/** One import: the password, the means, and what has to be wiped. */
export class Session {
  readonly engine: ImportEngine;
  readonly work: Work;
  /** Whether something has shown that the password is right. If so, what cannot be read is damaged. */
  passwordProven = false;
  /** Whether the MAC has shown that nothing is damaged either. */
  intact = false;
  #password: Password;
  #secrets: Uint8Array[] = [];

  constructor(engine: ImportEngine, work: Work, password: Password) {
    this.engine = engine;
    this.work = work;
    this.#password = password;
    this.#secrets.push(password.utf8, ...password.bmp);
  }

  /** Overwritten by `wipe`. */
  secret(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    this.#secrets.push(bytes);
    return bytes;
  }

  wipe(): void {
    for (const bytes of this.#secrets) bytes.fill(0);
    this.engine.wipe();
  }

  /** What a failure to decrypt means. */
  unreadable(): MtlsError {
    return this.passwordProven
      ? malformed('The file is damaged: a part cannot be decrypted.')
      : wrongPassword();
  }

  /** Checks the MAC (RFC 7292, section 5.1). Without one, the password is proven by what it decrypts. */
  async checkMac({ mac, authenticated }: Pfx): Promise<void> {
    if (!mac) return;
    for (const password of this.#password.bmp) {
      const { hash, salt, iterations } = mac;
      const derivation = { hash, purpose: Purpose.mac, password, salt, iterations, bytes: mac.digest.length };
      const key = this.secret(await this.engine.derive(derivation, this.work));
      if (!this.engine.macVerifies(hash, { key, data: authenticated, expected: mac.digest })) continue;
      this.passwordProven = true;
      this.intact = true;
      // The other reading of an empty password stays, second: some writers use one here and the other there.
      this.#password.bmp.sort((a, b) => Number(b === password) - Number(a === password));
      return;
    }
    throw wrongPassword();
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
    if (encryption.kind === 'pbes2') {
      const plaintext = await this.#decryptPbes2(encryption, ciphertext);
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
    const common = { hash: 'SHA-1', password, salt, iterations } as const;
    const { engine, work } = this;
    const key = this.secret(await engine.derive({ ...common, purpose: Purpose.key, bytes: keyBytes }, work));
    const iv = this.secret(await engine.derive({ ...common, purpose: Purpose.iv, bytes: 8 }, work));
    return engine.decrypt(cipher, { key, iv, ciphertext });
  }

  async #decryptPbes2(
    encryption: Pbes2,
    ciphertext: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { cipher, iv } = encryption;
    if (!inWebCrypto(encryption)) {
      const key = this.secret(await this.#pbkdf2Bits(encryption));
      return this.engine.decrypt(cipher === 'AES' ? 'AES-192' : cipher, { key, iv, ciphertext });
    }
    const key = await this.#pbkdf2Key(encryption, 'decrypt');
    try {
      return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-CBC', iv }, key, ciphertext));
    } catch {
      return undefined;
    }
  }

  /** The key that unwraps a shrouded key, if WebCrypto has its algorithm: then the clear key never comes to JavaScript. */
  async unwrappingKey({
    encryption,
  }: Encrypted): Promise<{ key: CryptoKey; iv: Uint8Array<ArrayBuffer> } | undefined> {
    if (encryption.kind !== 'pbes2' || !inWebCrypto(encryption)) return undefined;
    return { key: await this.#pbkdf2Key(encryption, 'unwrapKey'), iv: encryption.iv };
  }

  async #pbkdf2Key(encryption: Pbes2, usage: 'decrypt' | 'unwrapKey'): Promise<CryptoKey> {
    const { base, parameters } = await this.#pbkdf2(encryption, 'deriveKey');
    const algorithm = { name: 'AES-CBC', length: 8 * encryption.keyBytes };
    const key = await crypto.subtle.deriveKey(parameters, base, algorithm, false, [usage]);
    this.work.complete(encryption.iterations);
    this.work.throwIfAborted();
    return key;
  }

  async #pbkdf2Bits(encryption: Pbes2): Promise<Uint8Array<ArrayBuffer>> {
    const { base, parameters } = await this.#pbkdf2(encryption, 'deriveBits');
    const bits = await crypto.subtle.deriveBits(parameters, base, 8 * encryption.keyBytes);
    this.work.complete(encryption.iterations);
    this.work.throwIfAborted();
    return new Uint8Array(bits);
  }

  async #pbkdf2({ hash, salt, iterations }: Pbes2, usage: 'deriveKey' | 'deriveBits') {
    const base = await crypto.subtle.importKey('raw', this.#password.utf8, 'PBKDF2', false, [usage]);
    return { base, parameters: { name: 'PBKDF2', hash, salt, iterations } };
  }
}

/** Chromium has no AES-192, and nobody 3DES: those are the engine's. */
function inWebCrypto({ cipher, keyBytes }: Pbes2): boolean {
  return cipher === 'AES' && keyBytes !== 24;
}
