import { concatenated } from '../util/bytes.js';
import type { Aead } from './aead.js';
import { Alert, RecordFault } from './record-fault.js';
import type { TrafficKeys } from './traffic-keys.js';
import type { TlsVersion } from './types.js';

/** What a record carries. */
export interface RecordContent {
  type: number;
  content: Uint8Array;
}

export const HEADER_BYTES = 5;
export const MAX_CONTENT_BYTES = 16_384;
export const ContentType = { alert: 21, handshake: 22, applicationData: 23 } as const;

const TAG_BYTES = 16;
const LEGACY_VERSION = 0x0303;

/**
 * Seals or opens the records of one direction (RFC 8446 section 5.2; RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905). Calls may
 * overlap: a record's number is taken when its call begins.
 */
export class RecordCipher {
  readonly version: TlsVersion;
  /** Records sealed or opened with these keys, those of the handshake included. */
  #sequence: number;
  #aead: Aead;
  #iv: Uint8Array<ArrayBuffer>;

  constructor(version: TlsVersion, aead: Aead, { iv, sequence }: TrafficKeys) {
    this.version = version;
    this.#aead = aead;
    this.#iv = iv;
    this.#sequence = sequence;
  }

  /** Whether the keys may seal no more. */
  get isUsedUp(): boolean {
    return this.#sequence >= this.#aead.maxRecords;
  }

  /** The whole record for a piece of content of at most 16,384 bytes. */
  async seal(type: number, content: Uint8Array): Promise<Uint8Array> {
    const sequence = this.#sequence++;
    const nonce = this.#nonce(sequence);
    if (this.version === 'TLSv1.2') {
      const explicit = nonce.subarray(nonce.length - this.#aead.explicitNonceBytes);
      const additionalData = legacyAdditionalData(sequence, type, content.length);
      const sealed = await this.#aead.seal(content, { nonce, additionalData });
      return concatenated([recordHeader(type, explicit.length + sealed.length), explicit, sealed]);
    }
    const inner = new Uint8Array(content.length + 1);
    inner.set(content);
    inner[content.length] = type;
    const header = recordHeader(ContentType.applicationData, inner.length + TAG_BYTES);
    return concatenated([header, await this.#aead.seal(inner, { nonce, additionalData: header })]);
  }

  /** What a whole record carries. @throws RecordFault */
  async open(record: Uint8Array): Promise<RecordContent> {
    const sequence = this.#sequence++;
    const nonce = this.#nonce(sequence);
    const body = record.subarray(HEADER_BYTES);
    if (this.version === 'TLSv1.3') {
      const additionalData = recordHeader(ContentType.applicationData, body.length);
      return innerContent(authentic(await this.#aead.open(body, { nonce, additionalData })));
    }
    const [type = 0] = record;
    const explicit = body.subarray(0, this.#aead.explicitNonceBytes);
    const sealed = body.subarray(explicit.length);
    nonce.set(explicit, nonce.length - explicit.length);
    const additionalData = legacyAdditionalData(sequence, type, sealed.length - TAG_BYTES);
    const content = authentic(await this.#aead.open(sealed, { nonce, additionalData }));
    if (content.length > MAX_CONTENT_BYTES) throw tooLarge();
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
function legacyAdditionalData(sequence: number, type: number, length: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(8 + HEADER_BYTES);
  const view = new DataView(data.buffer);
  view.setUint32(0, Math.floor(sequence / 2 ** 32));
  view.setUint32(4, sequence % 2 ** 32);
  data.set(recordHeader(type, length), 8);
  return data;
}

/** A TLSInnerPlaintext: content, type, padding of zeros (RFC 8446 section 5.4). */
function innerContent(inner: Uint8Array): RecordContent {
  if (inner.length > MAX_CONTENT_BYTES + 1) throw tooLarge();
  let end = inner.length;
  while (end > 0 && inner[end - 1] === 0) end--;
  const type = inner[end - 1];
  if (type === undefined) throw RecordFault.protocol(Alert.unexpectedMessage, 'a record has no content type');
  return { type, content: inner.subarray(0, end - 1) };
}

function authentic(opened: Uint8Array | undefined): Uint8Array {
  if (!opened) throw RecordFault.protocol(Alert.badRecordMac, 'a record is not authentic');
  return opened;
}

function tooLarge(): RecordFault {
  return RecordFault.protocol(Alert.recordOverflow, 'a record is too large');
}
