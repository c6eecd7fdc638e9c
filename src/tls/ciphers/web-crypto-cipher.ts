import { concatenated, totalLength } from '../../util/bytes.js';
import { freeMemory } from '../../util/free-memory.js';
import { KeptBytes } from '../../util/kept-bytes.js';
import { RecordFault } from '../errors/record-fault.js';
import type { TlsVersion } from '../types.js';
import {
  ContentType,
  type EngineOutput,
  HEADER_BYTES,
  MAX_CONTENT_BYTES,
  notAuthentic,
  type OpenedRecords,
  type RecordCipher,
  type RecordContent,
  recordHeader,
  TAG_BYTES,
  type Transmit,
  tooLarge,
  withoutType,
} from './record-cipher.js';
import type { RecordEngine } from './record-engine.js';
import { SmallRecords } from './small-records.js';
import type { TrafficKeys } from './traffic-keys.js';

/** Enough to keep WebCrypto busy; bounds what is opened in vain before new keys. */
const MAX_OPEN_AT_ONCE = 16;
/** Long before the limit of 2^24.5 (RFC 8446 section 5.5). */
const MAX_RECORDS = 2 ** 23;
/** How much of the nonce TLS 1.2 sends along (RFC 5288 section 3). */
const EXPLICIT_NONCE_BYTES = 8;

/** In front of sealed records, for who sends them in a message of its own. */
const ROOM_BYTES = 8;

/** For what is read at once, in the call: fresh memory takes longer to fill. */
const keptInner = new KeptBytes(MAX_CONTENT_BYTES + 1);
const keptSealed = new KeptBytes(256 * 1024);

type Opened = RecordContent | RecordFault;

interface AeadParameters {
  nonce: Uint8Array<ArrayBuffer>;
  additionalData: Uint8Array<ArrayBuffer>;
}

/**
 * AES-GCM by WebCrypto, which is many times as fast as WebAssembly without AES instructions. Small records go to the engine: there a call
 * costs less, and nobody waits for it.
 */
export class WebCryptoCipher implements RecordCipher {
  readonly version: TlsVersion;
  #key: CryptoKey;
  #iv: Uint8Array<ArrayBuffer>;
  /** Records sealed or opened with these keys, those of the handshake included. */
  #sequence: number;
  /** Announced, and not yet begun. */
  #waiting: readonly Uint8Array[] = [];
  /** How many of them have been begun after all: a chunk may hold thousands. */
  #passed = 0;
  /** Begun, and not yet taken: what a small record carries is known. */
  #begun: (Promise<Opened> | Opened)[] = [];
  #small: SmallRecords;
  /** Output that is being sealed, or has failed. */
  #outputs = 0;
  /** Resolves when that has been transmitted. */
  #lastOutput: Promise<void> = Promise.resolve();

  /** Wipes the key's bytes. */
  static async create(
    version: TlsVersion,
    keys: TrafficKeys,
    { use, engine }: { use: 'encrypt' | 'decrypt'; engine: RecordEngine },
  ): Promise<WebCryptoCipher> {
    const small = new SmallRecords(engine, version, keys);
    const key = await crypto.subtle.importKey('raw', keys.key, 'AES-GCM', false, [use]);
    keys.key.fill(0);
    return new WebCryptoCipher({ version, key, small }, keys);
  }

  private constructor(
    { version, key, small }: { version: TlsVersion; key: CryptoKey; small: SmallRecords },
    { iv, sequence }: TrafficKeys,
  ) {
    this.version = version;
    this.#key = key;
    this.#small = small;
    this.#iv = iv;
    this.#sequence = sequence;
  }

  get isUsedUp(): boolean {
    return this.#sequence >= MAX_RECORDS;
  }

  seal(type: number, content: Uint8Array): Promise<Uint8Array> | Uint8Array {
    if (this.#small.takes(content)) return this.#small.seal(type, content, this.#sequence++);
    return this.#sealAll(type, content);
  }

  async #sealAll(type: number, content: Uint8Array): Promise<Uint8Array> {
    return concatenated(await this.#sealParts(type, [content]));
  }

  sealOutput({ take }: EngineOutput, transmit: Transmit): Promise<void> | void {
    let sent: Promise<void> | undefined;
    take(pieces => {
      sent = this.#sealPieces(pieces, transmit);
    });
    return sent;
  }

  #sealPieces(pieces: readonly Uint8Array[], transmit: Transmit): Promise<void> | undefined {
    const [first] = pieces;
    if (!first) return undefined;
    if (pieces.length === 1 && this.#outputs === 0 && this.#small.takes(first)) {
      // The call of the engine may move its memory, which this may be in.
      const content = keptInner.take(first.length);
      content.set(first);
      this.#small.transmit(content, this.#sequence++, transmit);
      return undefined;
    }
    this.#outputs++;
    const sealing = this.#sealParts(ContentType.applicationData, pieces);
    sealing.catch(() => {});
    this.#lastOutput = this.#lastOutput
      .then(() => sealing)
      .then(parts => {
        this.#outputs--;
        transmitTogether(parts, transmit);
      });
    return this.#lastOutput;
  }

  /** The pieces of all records. What is to be sealed may change afterwards: WebCrypto copies it in the call. */
  async #sealParts(type: number, pieces: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const parts: (Promise<Uint8Array[]> | Uint8Array[])[] = [];
    const small: (() => void)[] = [];
    for (const content of pieces.flatMap(contentsOf)) {
      const sequence = this.#sequence++;
      if (this.#small.takes(content)) {
        const [at, kept] = [parts.length, content.slice()];
        small.push(() => {
          parts[at] = [this.#small.seal(type, kept, sequence)];
        });
        parts.push([]);
      } else parts.push(this.#seal(type, content, sequence));
    }
    // Last: a call of the engine may move the memory that the others are read from.
    for (const seal of small) seal();
    return (await Promise.all(parts)).flat();
  }

  announce(records: readonly Uint8Array[]): void {
    const left = this.#waiting.slice(this.#passed);
    this.#waiting = left.concat(records);
    this.#passed = 0;
    this.#begin();
  }

  open(records: readonly Uint8Array[]): Promise<OpenedRecords> | OpenedRecords {
    if (this.#begun.length === 0) this.announce(records);
    const count = Math.min(records.length, this.#begun.length);
    const contents: RecordContent[] = [];
    while (contents.length < count) {
      const first = this.#begun[0] as Promise<Opened> | Opened;
      if (first instanceof Promise) return this.#openInTurn(contents, count);
      const fault = this.#takeFirst(first, contents);
      if (fault) return { contents, fault };
    }
    return { contents };
  }

  /** The same for what is not known yet. */
  async #openInTurn(contents: RecordContent[], count: number): Promise<OpenedRecords> {
    while (contents.length < count) {
      const fault = this.#takeFirst(await (this.#begun[0] as Promise<Opened> | Opened), contents);
      if (fault) return { contents, fault };
    }
    return { contents };
  }

  #takeFirst(opened: Opened, contents: RecordContent[]): RecordFault | undefined {
    this.#begun.shift();
    this.#begin();
    if (opened instanceof RecordFault) return opened;
    contents.push(opened);
    return undefined;
  }

  free(): void {
    this.#waiting = [];
    this.#small.free();
  }

  /** In the order of the records' numbers. */
  #begin(): void {
    const end = this.#passed + MAX_OPEN_AT_ONCE - this.#begun.length;
    for (const record of this.#waiting.slice(this.#passed, end)) {
      this.#passed++;
      this.#begun.push(this.#small.isSmall(record) ? this.#openSmall(record) : this.#openLarge(record));
    }
    if (this.#passed >= this.#waiting.length) [this.#waiting, this.#passed] = [[], 0];
  }

  /** What the engine fails with is told in its turn. */
  #openSmall(record: Uint8Array): Promise<Opened> | Opened {
    try {
      return this.#small.open(record, this.#sequence++);
    } catch (error) {
      const failed = Promise.reject(error);
      failed.catch(() => {});
      return failed;
    }
  }

  /** The pieces of one record. */
  async #seal(type: number, content: Uint8Array, sequence: number): Promise<Uint8Array[]> {
    const nonce = this.#nonce(sequence);
    if (this.version === 'TLSv1.2') {
      const explicit = nonce.subarray(nonce.length - EXPLICIT_NONCE_BYTES);
      const additionalData = legacyAdditionalData(sequence, type, content.length);
      const sealed = await this.#encrypt(content, { nonce, additionalData });
      return [recordHeader(type, explicit.length + sealed.length), explicit, sealed];
    }
    const inner = keptInner.take(content.length + 1);
    inner.set(content);
    inner[content.length] = type;
    const header = recordHeader(ContentType.applicationData, inner.length + TAG_BYTES);
    return [header, await this.#encrypt(inner, { nonce, additionalData: header })];
  }

  /** One promise: a download has thousands of records. */
  #openLarge(record: Uint8Array): Promise<Opened> {
    const sequence = this.#sequence++;
    const nonce = this.#nonce(sequence);
    const body = record.subarray(HEADER_BYTES);
    if (this.version === 'TLSv1.3') {
      const additionalData = recordHeader(ContentType.applicationData, body.length);
      return this.#decrypt(body, { nonce, additionalData }).then(innerContent, notAuthentic);
    }
    const [type = 0] = record;
    const explicit = body.subarray(0, EXPLICIT_NONCE_BYTES);
    const sealed = body.subarray(explicit.length);
    nonce.set(explicit, nonce.length - explicit.length);
    const additionalData = legacyAdditionalData(sequence, type, sealed.length - TAG_BYTES);
    return this.#decrypt(sealed, { nonce, additionalData }).then(opened => {
      const content = new Uint8Array(opened);
      return content.length > MAX_CONTENT_BYTES ? tooLarge() : { type, content, records: 1 };
    }, notAuthentic);
  }

  async #encrypt(content: Uint8Array, parameters: AeadParameters): Promise<Uint8Array> {
    return new Uint8Array(
      await crypto.subtle.encrypt(aesGcm(parameters), this.#key, content as BufferSource),
    );
  }

  #decrypt(sealed: Uint8Array, parameters: AeadParameters): Promise<ArrayBuffer> {
    return crypto.subtle.decrypt(aesGcm(parameters), this.#key, sealed as BufferSource);
  }

  /** The IV, with the sequence number added without carry to its last eight bytes. */
  #nonce(sequence: number): Uint8Array<ArrayBuffer> {
    const nonce = this.#iv.slice();
    for (let at = nonce.length - 1, rest = sequence; rest > 0; at--, rest = Math.floor(rest / 256))
      (nonce[at] as number) ^= rest % 256;
    return nonce;
  }
}

/** What each record carries. */
function contentsOf(piece: Uint8Array): Uint8Array[] {
  const count = Math.ceil(piece.length / MAX_CONTENT_BYTES);
  return Array.from({ length: count }, (_, at) =>
    piece.subarray(at * MAX_CONTENT_BYTES, (at + 1) * MAX_CONTENT_BYTES),
  );
}

/** In one piece, from kept memory. Theirs is freed. */
function transmitTogether(parts: readonly Uint8Array[], transmit: Transmit): void {
  const length = ROOM_BYTES + totalLength(parts);
  const sealed = keptSealed.take(length);
  let end = ROOM_BYTES;
  for (const part of parts) {
    sealed.set(part, end);
    end += part.length;
  }
  freeMemory(parts);
  transmit(sealed.subarray(ROOM_BYTES), ROOM_BYTES);
}

function aesGcm({ nonce, additionalData }: AeadParameters): AesGcmParams {
  return { name: 'AES-GCM', iv: nonce, additionalData };
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
function innerContent(opened: ArrayBuffer): Opened {
  const inner = new Uint8Array(opened);
  if (inner.length > MAX_CONTENT_BYTES + 1) return tooLarge();
  let end = inner.length;
  while (end > 0 && inner[end - 1] === 0) end--;
  const type = inner[end - 1];
  if (type === undefined) return withoutType();
  return { type, content: inner.subarray(0, end - 1), records: 1 };
}
