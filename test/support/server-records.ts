import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/** All have SHA-256; WebCrypto does the records of those with AES, the engine the others. */
export const suites = {
  TLS_AES_128_GCM_SHA256: { version: 'TLSv1.3', cipher: 'aes-128-gcm', keyBytes: 16, ivBytes: 12 },
  TLS_CHACHA20_POLY1305_SHA256: {
    version: 'TLSv1.3',
    cipher: 'chacha20-poly1305',
    keyBytes: 32,
    ivBytes: 12,
  },
  'ECDHE-ECDSA-AES128-GCM-SHA256': { version: 'TLSv1.2', cipher: 'aes-128-gcm', keyBytes: 16, ivBytes: 4 },
  'ECDHE-ECDSA-CHACHA20-POLY1305': {
    version: 'TLSv1.2',
    cipher: 'chacha20-poly1305',
    keyBytes: 32,
    ivBytes: 12,
  },
} as const;

/** By their names in OpenSSL. */
export type AttackedSuite = keyof typeof suites;
type Suite = (typeof suites)[AttackedSuite];

export interface RecordContent {
  type: number;
  content: Buffer;
}

/** A server's side of the protection of its records. */
export interface Protection {
  seal(type: number, content: Uint8Array): Buffer;
}

const DATA = 23;
const HEADER_BYTES = 5;
const TAG_BYTES = 16;
const EXPLICIT_NONCE_BYTES = 8;

const hmac = (key: Buffer, ...data: Uint8Array[]) =>
  createHmac('sha256', key).update(Buffer.concat(data)).digest();

/** RFC 8446 section 7.1, with an empty context and at most 32 bytes. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  return hmac(secret, Buffer.of(0, length, name.length), name, Buffer.of(0, 1)).subarray(0, length);
}

function numbered(iv: Buffer, sequence: bigint): Buffer {
  const nonce = Buffer.from(iv);
  nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ sequence, 4);
  return nonce;
}

function recordHeader(type: number, length: number): Buffer {
  const header = Buffer.of(type, 3, 3, 0, 0);
  header.writeUInt16BE(length, 3);
  return header;
}

interface Sealing {
  key: Buffer;
  nonce: Buffer;
  aad: Buffer;
}

function encrypted(suite: Suite, content: Uint8Array, { key, nonce, aad }: Sealing): Buffer {
  const cipher = createCipheriv(suite.cipher as 'aes-128-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad, { plaintextLength: content.length });
  return Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined: not under this key. */
function decrypted(suite: Suite, sealed: Buffer, { key, nonce, aad }: Sealing): Buffer | undefined {
  const decipher = createDecipheriv(suite.cipher as 'aes-128-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad, { plaintextLength: sealed.length - TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** From the server's logged secret (RFC 8446 section 5.2). */
export class ServerRecords13 implements Protection {
  #suite: Suite;
  #secret: Buffer;
  #sequence = 0n;

  constructor(suite: Suite, secret: Buffer) {
    this.#suite = suite;
    this.#secret = secret;
  }

  seal(type: number, content: Uint8Array): Buffer {
    return this.sealInner(Buffer.concat([content, Buffer.of(type)]));
  }

  /** The content with its type and padding. */
  sealInner(inner: Uint8Array): Buffer {
    const header = recordHeader(DATA, inner.length + TAG_BYTES);
    const sealed = encrypted(this.#suite, inner, this.#sealing(header));
    this.#sequence++;
    return Buffer.concat([header, sealed]);
  }

  /** Undefined: not under these keys. (Servers do not pad.) */
  open(record: Buffer): RecordContent | undefined {
    const sealing = this.#sealing(record.subarray(0, HEADER_BYTES));
    const inner = decrypted(this.#suite, record.subarray(HEADER_BYTES), sealing);
    if (!inner) return undefined;
    this.#sequence++;
    return { type: inner.at(-1) ?? 0, content: inner.subarray(0, -1) };
  }

  nextKeys(): void {
    this.#secret = expandLabel(this.#secret, 'traffic upd', 32);
    this.#sequence = 0n;
  }

  #sealing(aad: Buffer): Sealing {
    const nonce = numbered(expandLabel(this.#secret, 'iv', 12), this.#sequence);
    return { key: expandLabel(this.#secret, 'key', this.#suite.keyBytes), nonce, aad };
  }
}

/** From the master secret; `randoms` are the server's and the client's (RFC 5246 section 6.3, RFC 5288, RFC 7905). */
export class ServerRecords12 implements Protection {
  #suite: Suite;
  #key: Buffer;
  #iv: Buffer;
  #sequence = 0n;

  constructor(suite: Suite, { master, randoms }: { master: Buffer; randoms: Buffer }) {
    const { keyBytes, ivBytes } = suite;
    const block = keyBlock(master, randoms, 2 * (keyBytes + ivBytes));
    this.#suite = suite;
    this.#key = block.subarray(keyBytes, 2 * keyBytes);
    this.#iv = block.subarray(2 * keyBytes + ivBytes);
  }

  seal(type: number, content: Uint8Array): Buffer {
    const explicit = this.#explicitNonce();
    const sealed = encrypted(this.#suite, content, this.#sealing({ type, length: content.length, explicit }));
    this.#sequence++;
    return Buffer.concat([recordHeader(type, explicit.length + sealed.length), explicit, sealed]);
  }

  open(record: Buffer): RecordContent | undefined {
    const body = record.subarray(HEADER_BYTES);
    const explicit = body.subarray(0, this.#explicitNonce().length);
    const sealed = body.subarray(explicit.length);
    const type = record[0] ?? 0;
    const length = sealed.length - TAG_BYTES;
    const content = decrypted(this.#suite, sealed, this.#sealing({ type, length, explicit }));
    if (!content) return undefined;
    this.#sequence++;
    return { type, content };
  }

  /** AES-GCM has one, ChaCha20-Poly1305 has none. */
  #explicitNonce(): Buffer {
    const nonce = Buffer.alloc(this.#iv.length === 4 ? EXPLICIT_NONCE_BYTES : 0);
    if (nonce.length > 0) nonce.writeBigUInt64BE(this.#sequence);
    return nonce;
  }

  #sealing({ type, length, explicit }: { type: number; length: number; explicit: Buffer }): Sealing {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(this.#sequence);
    const nonce =
      explicit.length > 0 ? Buffer.concat([this.#iv, explicit]) : numbered(this.#iv, this.#sequence);
    return { key: this.#key, nonce, aad: Buffer.concat([number, recordHeader(type, length)]) };
  }
}

function keyBlock(master: Buffer, randoms: Buffer, length: number): Buffer {
  const seed = Buffer.concat([Buffer.from('key expansion'), randoms]);
  const blocks: Buffer[] = [];
  let a = hmac(master, seed);
  for (let bytes = 0; bytes < length; bytes += 32) {
    blocks.push(hmac(master, a, seed));
    a = hmac(master, a);
  }
  return Buffer.concat(blocks).subarray(0, length);
}
