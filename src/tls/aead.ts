import { WireWriter } from '../engine/wire.js';
import { Algorithm, type TrafficKeys } from './traffic-keys.js';

export interface AeadParameters {
  nonce: Uint8Array<ArrayBuffer>;
  additionalData: Uint8Array<ArrayBuffer>;
}

/** Authenticated encryption with one key of one direction. */
export interface Aead {
  /** How much of the nonce TLS 1.2 sends along (RFC 5288 section 3, RFC 7905 section 2). */
  readonly explicitNonceBytes: number;
  /** How many records the key may seal. */
  readonly maxRecords: number;
  seal(content: Uint8Array, parameters: AeadParameters): Promise<Uint8Array>;
  /** Undefined: it is not authentic. */
  open(sealed: Uint8Array, parameters: AeadParameters): Promise<Uint8Array | undefined>;
}

/** Does ChaCha20-Poly1305. Opening gives undefined for what is not authentic. */
export interface ChaCha20Poly1305Engine {
  chacha20Poly1305(use: 'seal' | 'open', parameters: Uint8Array, content: Uint8Array): Uint8Array | undefined;
}

/**
 * AES-GCM by WebCrypto, which is many times as fast as WebAssembly without AES instructions, and wipes the key's bytes; what
 * WebCrypto lacks, by the engine.
 */
export async function createAead(
  { algorithm, key: bytes }: TrafficKeys,
  use: 'encrypt' | 'decrypt',
  engine: ChaCha20Poly1305Engine,
): Promise<Aead> {
  if (algorithm === Algorithm.chacha20Poly1305) return new ChaCha20Poly1305(engine, bytes);
  const key = await crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, [use]);
  bytes.fill(0);
  return new AesGcm(key);
}

class AesGcm implements Aead {
  readonly explicitNonceBytes = 8;
  /** Long before the limit of 2^24.5 (RFC 8446 section 5.5). */
  readonly maxRecords = 2 ** 23;
  #key: CryptoKey;

  constructor(key: CryptoKey) {
    this.#key = key;
  }

  async seal(content: Uint8Array, parameters: AeadParameters): Promise<Uint8Array> {
    const algorithm = aesGcm(parameters);
    return new Uint8Array(await crypto.subtle.encrypt(algorithm, this.#key, content as BufferSource));
  }

  async open(sealed: Uint8Array, parameters: AeadParameters): Promise<Uint8Array | undefined> {
    const algorithm = aesGcm(parameters);
    try {
      return new Uint8Array(await crypto.subtle.decrypt(algorithm, this.#key, sealed as BufferSource));
    } catch {
      return undefined;
    }
  }
}

function aesGcm({ nonce, additionalData }: AeadParameters): AesGcmParams {
  return { name: 'AES-GCM', iv: nonce, additionalData };
}

class ChaCha20Poly1305 implements Aead {
  readonly explicitNonceBytes = 0;
  /** The sequence number ends before the key is used up. */
  readonly maxRecords = Number.MAX_SAFE_INTEGER;
  #engine: ChaCha20Poly1305Engine;
  #key: Uint8Array;

  constructor(engine: ChaCha20Poly1305Engine, key: Uint8Array) {
    this.#engine = engine;
    this.#key = key;
  }

  async seal(content: Uint8Array, parameters: AeadParameters): Promise<Uint8Array> {
    const sealed = this.#engine.chacha20Poly1305('seal', this.#encoded(parameters), content);
    if (!sealed) throw new TypeError('a record cannot be sealed');
    return sealed;
  }

  async open(sealed: Uint8Array, parameters: AeadParameters): Promise<Uint8Array | undefined> {
    return this.#engine.chacha20Poly1305('open', this.#encoded(parameters), sealed);
  }

  #encoded({ nonce, additionalData }: AeadParameters): Uint8Array {
    return new WireWriter().bytes(this.#key).bytes(nonce).bytes(additionalData).finish();
  }
}
