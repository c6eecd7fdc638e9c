import type { RecordFault } from '../errors/record-fault.js';
import type { TlsVersion } from '../types.js';
import {
  ContentType,
  HEADER_BYTES,
  type RecordContent,
  recordFaults,
  TAG_BYTES,
  type Transmit,
} from './record-cipher.js';
import type { RecordEngine } from './record-engine.js';
import type { TrafficKeys } from './traffic-keys.js';

/** Up to this much content the engine's AES-GCM takes less of the page's time than a call of WebCrypto, and gives its result at once. */
const MAX_CONTENT_BYTES = 1024;
/** Header, tag, and the explicit nonce of TLS 1.2 or the type of TLS 1.3. */
const MAX_RECORD_BYTES = HEADER_BYTES + 8 + MAX_CONTENT_BYTES + TAG_BYTES;

/** Seals and opens small records in the engine, with the same keys as another cipher, which counts them. */
export class SmallRecords {
  #engine: RecordEngine;
  #keys: number;

  constructor(engine: RecordEngine, version: TlsVersion, keys: TrafficKeys) {
    this.#engine = engine;
    this.#keys = engine.newKeys(version, { ...keys, key: keys.key.slice() });
  }

  /** Whether content becomes one small record. */
  takes(content: Uint8Array): boolean {
    return content.length > 0 && content.length <= MAX_CONTENT_BYTES;
  }

  seal(type: number, content: Uint8Array, sequence: number): Uint8Array {
    let sealed = content;
    this.#engine.seal(this.#keys, { content, type, sequence }, ({ bytes }) => {
      sealed = bytes.slice();
    });
    return sealed;
  }

  /** The same for application data, which is transmitted from the engine's memory. */
  transmit(content: Uint8Array, sequence: number, transmit: Transmit): void {
    const place = { content, type: ContentType.applicationData, sequence };
    this.#engine.seal(this.#keys, place, ({ bytes, roomBytes }) => transmit(bytes, roomBytes));
  }

  isSmall(record: Uint8Array): boolean {
    return record.length <= MAX_RECORD_BYTES;
  }

  open(record: Uint8Array, sequence: number): RecordContent | RecordFault {
    const { data, other, fault } = this.#engine.open(this.#keys, [record], { sequence, connection: 0 });
    if (fault) return recordFaults[fault]();
    if (other) return { ...other, records: 1 };
    return { type: ContentType.applicationData, content: data ?? new Uint8Array(0), records: 1 };
  }

  free(): void {
    this.#engine.freeKeys(this.#keys);
  }
}
