import type { MtlsError } from '../../errors.js';
import { encryptionCost, macCost } from '../algorithms/costs.js';
import type { Encryption, Pbes1, Pbes2, Pkcs12Pbe } from '../algorithms/encryption.js';
import type { HashName } from '../algorithms/hashes.js';
import type { ImportBudget } from '../budget/import-budget.js';
import type { Encrypted, Mac, Pfx } from '../structure/structure.js';
import { Derivations, inWebCrypto, webCryptoCipher, webCryptoHashes } from './derivations.js';
import { type EngineCipher, type ImportEngine, Purpose } from './engine.js';
import { type Form, Passwords, type Use } from './password.js';
import { otherPassword, wrongPassword } from './password-errors.js';

type Bytes = Uint8Array<ArrayBuffer>;

export interface DecryptionOptions {
  password: string;
  /** Of keys and parts that have another one than the file. */
  keyPassword: string | undefined;
  /** Whether a sealed copy is kept of each private key. */
  sealedCopy: boolean;
}

/** One reading of a password, tried on something that is encrypted. */
export interface Attempt {
  /** Undefined when the padding or the authentication tag is wrong: then the reading is. Padding alone is right once in 256 times. */
  decrypt(): Promise<Bytes | undefined>;
  /** The key that unwraps a private key, if WebCrypto has its algorithm: then the clear key never comes to JavaScript. */
  unwrapping(): Promise<{ key: CryptoKey; cipher: AesCbcParams | AesGcmParams } | undefined>;
  /** To be called when what came out makes sense: the reading is right. */
  succeed(): void;
}

/** One import: the passwords, the means, and what has to be wiped. */
export class Decryption {
  readonly engine: ImportEngine;
  readonly budget: ImportBudget;
  readonly sealedCopy: boolean;
  /** Whether the MAC has shown that nothing is damaged. */
  intact = false;
  #passwordProven = false;
  /** Whether the budget kept readings of the password from being tried. */
  #incomplete = false;
  readonly #passwords: Passwords;
  readonly #derivations: Derivations;
  readonly #secrets: Uint8Array[] = [];

  constructor(
    engine: ImportEngine,
    budget: ImportBudget,
    { password, keyPassword, sealedCopy }: DecryptionOptions,
  ) {
    this.engine = engine;
    this.budget = budget;
    this.sealedCopy = sealedCopy;
    this.#passwords = new Passwords(password, keyPassword);
    this.#derivations = new Derivations(engine, budget);
    this.#secrets.push(...this.#passwords.secrets);
  }

  /** Whether the MAC, or something that could be decrypted, has shown that a password is right. */
  get passwordProven(): boolean {
    return this.#passwordProven;
  }

  /** Overwritten by `wipe`. */
  secret(bytes: Bytes): Bytes {
    this.#secrets.push(bytes);
    return bytes;
  }

  wipe(): void {
    for (const bytes of this.#secrets) bytes.fill(0);
    this.#derivations.wipe();
    this.engine.wipe();
  }

  wrongPassword(): MtlsError {
    return wrongPassword({ incomplete: this.#incomplete });
  }

  /** Why none of the passwords opens something, where one of them is right. */
  otherPassword(use: Use): MtlsError {
    const given = this.#passwords.hasKeyPassword;
    return otherPassword(use, { given, intact: this.intact, incomplete: this.#incomplete });
  }

  /** Begins to derive the keys of parts that will be decrypted, by the likeliest reading. */
  prefetch(encryptions: readonly Encryption[]): void {
    if (this.#passwords.hasKeyPassword) return;
    const [reading] = this.#passwords.readings('octets', 'part');
    for (const encryption of encryptions) if (reading) this.#derivations.prefetch(encryption, reading);
  }

  /** Whether the MAC is right (RFC 7292, section 5.1). Without one, the password is proven by what it decrypts. */
  async macVerifies({ mac, authenticated }: Pfx): Promise<boolean> {
    if (!mac) return true;
    const { hash, kind } = mac.scheme;
    for (const reading of this.#affordable(kind === 'pkcs12' ? 'bmp' : 'octets', 'part', macCost(mac))) {
      const key = await this.#macKey(mac, reading);
      if (!(await this.#isMac(hash, { key, data: authenticated, expected: mac.digest }))) continue;
      this.#worked(reading);
      this.intact = true;
      return true;
    }
    return false;
  }

  /** By WebCrypto where it has the hash: a long file takes the engine a tenth of a second, in one go. */
  async #isMac(hash: HashName, parts: { key: Bytes; data: Bytes; expected: Bytes }): Promise<boolean> {
    if (!webCryptoHashes.includes(hash)) return this.engine.macVerifies(hash, parts);
    const key = await crypto.subtle.importKey('raw', parts.key, { name: 'HMAC', hash }, false, ['verify']);
    const verified = crypto.subtle.verify('HMAC', key, parts.expected, parts.data);
    return this.budget.untilAborted(verified);
  }

  #macKey({ scheme, salt, iterations }: Mac, password: Bytes): Promise<Bytes> {
    if (scheme.kind === 'pbmac1')
      return this.#derivations.bytes(scheme.derivation, { password, bytes: scheme.keyBytes });
    const { hash } = scheme;
    const parameters = { hash, purpose: Purpose.mac, salt, iterations };
    return this.#derivations.pkcs12(parameters, { password, bytes: this.engine.hashBytes(hash) });
  }

  /** The readings to try: the likeliest one is part of the plan, the others as far as the budget goes. */
  *#affordable(form: Form, use: Use, cost: ReturnType<typeof macCost>): Generator<Bytes> {
    const planned = this.#passwords.likeliest(form, use);
    for (const reading of this.#passwords.readings(form, use)) {
      if (reading === planned || this.budget.affords(cost)) yield reading;
      else this.#incomplete = true;
    }
  }

  #worked(reading: Bytes): void {
    this.#passwordProven = true;
    this.#passwords.worked(reading);
  }

  /** Each reading of the passwords, tried when it is asked for. */
  async *attempts({ encryption, ciphertext }: Encrypted, use: Use): AsyncGenerator<Attempt> {
    const form = encryption.kind === 'pkcs12' ? 'bmp' : 'octets';
    for (const reading of this.#affordable(form, use, encryptionCost(encryption))) {
      await this.budget.turn();
      yield {
        decrypt: async () => {
          const plaintext = await this.#decrypt({ encryption, ciphertext }, reading);
          return plaintext && this.secret(plaintext);
        },
        unwrapping: async () => {
          if (encryption.kind !== 'pbes2' || !inWebCrypto(encryption)) return undefined;
          const key = await this.#derivations.aesKey(encryption, reading);
          return { key, cipher: webCryptoCipher(encryption) };
        },
        succeed: () => this.#worked(reading),
      };
    }
  }

  /** What `read` makes of the plaintext; undefined when no reading gives one of which it makes something. */
  async open<T>(
    encrypted: Encrypted,
    read: (plaintext: Bytes) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    for await (const attempt of this.attempts(encrypted, 'part')) {
      const plaintext = await attempt.decrypt();
      const result = plaintext && (await read(plaintext));
      if (result === undefined) continue;
      attempt.succeed();
      return result;
    }
    return undefined;
  }

  #decrypt({ encryption, ciphertext }: Encrypted, password: Bytes): Promise<Bytes | undefined> {
    switch (encryption.kind) {
      case 'pbes2':
        return this.#decryptPbes2(encryption, { password, ciphertext });
      case 'pbes1':
        return this.#decryptPbes1(encryption, { password, ciphertext });
      case 'pkcs12':
        return this.#decryptPkcs12(encryption, { password, ciphertext });
    }
  }

  async #decryptPkcs12(
    { cipher, keyBytes, salt, iterations }: Pkcs12Pbe,
    { password, ciphertext }: Secrets,
  ): Promise<Bytes | undefined> {
    const common = { hash: 'SHA-1', salt, iterations } as const;
    const derive = (purpose: typeof Purpose.key | typeof Purpose.iv, bytes: number) =>
      this.#derivations.pkcs12({ ...common, purpose }, { password, bytes });
    const key = await derive(Purpose.key, keyBytes);
    const iv = cipher === 'RC4' ? new Uint8Array() : await derive(Purpose.iv, 8);
    return this.engine.decrypt(cipher, { key, iv, ciphertext }, this.budget);
  }

  async #decryptPbes1(
    { hash, cipher, salt, iterations }: Pbes1,
    { password, ciphertext }: Secrets,
  ): Promise<Bytes | undefined> {
    const derived = await this.#derivations.pbkdf1({ hash, salt, iterations }, { password, bytes: 16 });
    const [key, iv] = [derived.subarray(0, 8), derived.subarray(8)];
    return this.engine.decrypt(cipher, { key, iv, ciphertext }, this.budget);
  }

  async #decryptPbes2(encryption: Pbes2, { password, ciphertext }: Secrets): Promise<Bytes | undefined> {
    const { derivation, keyBytes: bytes, effectiveBits, iv } = encryption;
    if (!inWebCrypto(encryption)) {
      const key = await this.#derivations.bytes(derivation, { password, bytes });
      return this.engine.decrypt(
        engineCipher(encryption),
        { key, iv, ciphertext, effectiveBits },
        this.budget,
      );
    }
    const key = await this.#derivations.aesKey(encryption, password);
    try {
      return new Uint8Array(await crypto.subtle.decrypt(webCryptoCipher(encryption), key, ciphertext));
    } catch {
      return undefined;
    }
  }
}

interface Secrets {
  password: Bytes;
  ciphertext: Bytes;
}

function engineCipher({ cipher }: Pbes2): EngineCipher {
  // The others are WebCrypto's.
  return cipher === 'AES' || cipher === 'AES-GCM' ? 'AES-192' : cipher;
}
