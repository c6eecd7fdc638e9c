import { concatenated } from '../engine/bytes.js';
import type { WireReader } from '../engine/wire.js';

export type Version = 'TLSv1.2' | 'TLSv1.3';

/** The keys of one direction. */
export interface TrafficKeys {
  /** Of the next record. */
  sequence: number;
  key: Uint8Array<ArrayBuffer>;
  iv: Uint8Array<ArrayBuffer>;
}

/** What a record carries. */
export interface RecordContent {
  type: number;
  content: Uint8Array;
}

export const HEADER_BYTES = 5;
export const ContentType = { alert: 21, handshake: 22, applicationData: 23 } as const;

const TAG_BYTES = 16;
const EXPLICIT_NONCE_BYTES = 8;
const LEGACY_VERSION = 0x0303;

/** As wasm/engine/src/tls/external.rs writes them. */
export function readKeys(reader: WireReader): TrafficKeys {
  return { sequence: reader.u32() * 2 ** 32 + reader.u32(), key: reader.bytes(), iv: reader.bytes() };
}

/**
 * Seals or opens the records of one direction by WebCrypto's AES-GCM (RFC 8446 section 5.2, RFC 5288). Calls may overlap: a
 * record's number is taken when its call begins.
 */
export class RecordCipher {
  readonly version: Version;
  /** Records sealed or opened with these keys, those before the hand-over included. */
  sequence: number;
  #key: CryptoKey;
  #iv: Uint8Array<ArrayBuffer>;

  /** Wipes the key's bytes. */
  static async create(
    keys: TrafficKeys,
    use: { version: Version; for: 'encrypt' | 'decrypt' },
  ): Promise<RecordCipher> {
    const key = await crypto.subtle.importKey('raw', keys.key, 'AES-GCM', false, [use.for]);
    keys.key.fill(0);
    return new RecordCipher(key, keys, use.version);
  }

  private constructor(key: CryptoKey, { iv, sequence }: TrafficKeys, version: Version) {
    this.#key = key;
    this.#iv = iv;
    this.sequence = sequence;
    this.version = version;
  }

  /** The whole record for a piece of content of at most 16,384 bytes. */
  async seal(type: number, content: Uint8Array): Promise<Uint8Array> {
    const sequence = this.sequence++;
    const iv = this.#nonce(sequence);
    if (this.version === 'TLSv1.2') {
      const additionalData = legacyAdditionalData(sequence, { type, length: content.length });
      const sealed = await this.#encrypt(content, { iv, additionalData });
      const header = recordHeader(type, EXPLICIT_NONCE_BYTES + sealed.length);
      return concatenated([header, iv.subarray(4), sealed]);
    }
    const inner = new Uint8Array(content.length + 1);
    inner.set(content);
    inner[content.length] = type;
    const header = recordHeader(ContentType.applicationData, inner.length + TAG_BYTES);
    return concatenated([header, await this.#encrypt(inner, { iv, additionalData: header })]);
  }

  /** What a whole record carries. Rejects when it is not authentic. */
  async open(record: Uint8Array): Promise<RecordContent> {
    const sequence = this.sequence++;
    const type = record[0] ?? 0;
    const header = record.subarray(0, HEADER_BYTES);
    const body = record.subarray(HEADER_BYTES);
    if (this.version === 'TLSv1.3') {
      const inner = await this.#decrypt(body, { iv: this.#nonce(sequence), additionalData: header });
      return stripPadding(inner);
    }
    const length = body.length - EXPLICIT_NONCE_BYTES - TAG_BYTES;
    if (length < 0) throw new RangeError('a record that is too short');
    const iv = concatenated([this.#iv.subarray(0, 4), body.subarray(0, EXPLICIT_NONCE_BYTES)]);
    const additionalData = legacyAdditionalData(sequence, { type, length });
    const content = await this.#decrypt(body.subarray(EXPLICIT_NONCE_BYTES), { iv, additionalData });
    return { type, content };
  }

  /** The IV, with the sequence number added without carry to its last eight bytes. */
  #nonce(sequence: number): Uint8Array<ArrayBuffer> {
    const nonce = this.#iv.slice();
    const view = new DataView(nonce.buffer);
    view.setUint32(4, view.getUint32(4) ^ Math.floor(sequence / 2 ** 32));
    view.setUint32(8, view.getUint32(8) ^ (sequence % 2 ** 32));
    return nonce;
  }

  async #encrypt(
    content: Uint8Array,
    parameters: { iv: Uint8Array; additionalData: Uint8Array },
  ): Promise<Uint8Array> {
    const algorithm = { name: 'AES-GCM', ...parameters } as AesGcmParams;
    return new Uint8Array(await crypto.subtle.encrypt(algorithm, this.#key, content as BufferSource));
  }

  async #decrypt(
    content: Uint8Array,
    parameters: { iv: Uint8Array; additionalData: Uint8Array },
  ): Promise<Uint8Array> {
    const algorithm = { name: 'AES-GCM', ...parameters } as AesGcmParams;
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, this.#key, content as BufferSource));
  }
}

function recordHeader(type: number, length: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint8(0, type);
  view.setUint16(1, LEGACY_VERSION);
  view.setUint16(3, length);
  return header;
}

/** RFC 5246 section 6.2.3.3. */
function legacyAdditionalData(
  sequence: number,
  { type, length }: { type: number; length: number },
): Uint8Array {
  const data = new Uint8Array(8 + HEADER_BYTES);
  const view = new DataView(data.buffer);
  view.setUint32(0, Math.floor(sequence / 2 ** 32));
  view.setUint32(4, sequence % 2 ** 32);
  data.set(recordHeader(type, length), 8);
  return data;
}

/** The content type is the last byte that is not zero (RFC 8446 section 5.4). */
function stripPadding(inner: Uint8Array): RecordContent {
  let end = inner.length;
  while (end > 0 && inner[end - 1] === 0) end--;
  if (end === 0) throw new RangeError('a record without a content type');
  return { type: inner[end - 1] ?? 0, content: inner.subarray(0, end - 1) };
}
