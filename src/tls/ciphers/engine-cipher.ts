import type { TlsVersion } from '../types.js';
import {
  ContentType,
  type EngineOutput,
  type EngineTarget,
  type OpenedRecords,
  type RecordCipher,
  recordFaults,
  type Transmit,
} from './record-cipher.js';
import type { RecordEngine } from './record-engine.js';
import type { TrafficKeys } from './traffic-keys.js';

/** Bounds the engine's buffer: a full message of the tunnel, and a record that began in the one before. */
const MAX_BATCH_BYTES = 288 * 1024;

const nothing = new Uint8Array(0);

/** Seals and opens records in the engine, many in one call. */
export class EngineCipher implements RecordCipher {
  readonly version: TlsVersion;
  /** The sequence number ends before a key of ChaCha20-Poly1305 is used up. */
  readonly isUsedUp = false;
  #engine: RecordEngine;
  #keys: number;
  /** Records sealed or opened with these keys, those of the handshake included. */
  #sequence: number;

  /** Wipes the key's bytes. */
  constructor(engine: RecordEngine, version: TlsVersion, keys: TrafficKeys) {
    this.version = version;
    this.#engine = engine;
    this.#sequence = keys.sequence;
    this.#keys = engine.newKeys(version, keys);
  }

  seal(type: number, content: Uint8Array): Uint8Array {
    let sealed: Uint8Array = nothing;
    this.#seal(type, content, bytes => {
      sealed = bytes.slice();
    });
    return sealed;
  }

  #seal(type: number, content: Uint8Array, transmit: Transmit): void {
    const place = { content, type, sequence: this.#sequence };
    this.#engine.seal(this.#keys, place, ({ bytes, records, roomBytes }) => {
      this.#sequence += records;
      transmit(bytes, roomBytes);
    });
  }

  sealOutput({ target, take }: EngineOutput, transmit: Transmit): void {
    if (target?.engine !== this.#engine) {
      take(pieces => {
        for (const piece of pieces) this.#seal(ContentType.applicationData, piece, transmit);
      });
      return;
    }
    const place = { connection: target.connection, sequence: this.#sequence };
    this.#engine.sealOutput(this.#keys, place, ({ bytes, records, roomBytes }) => {
      this.#sequence += records;
      transmit(bytes, roomBytes);
    });
  }

  open(
    records: readonly Uint8Array[],
    target: EngineTarget | undefined,
    release?: () => void,
  ): OpenedRecords {
    const connection = target?.engine === this.#engine ? target.connection : 0;
    const batch = batchOf(records);
    const opened = this.#engine.open(this.#keys, batch, {
      sequence: this.#sequence,
      connection,
      release: batch === records ? release : undefined,
    });
    this.#sequence += opened.records;
    const { dataBytes, data, other, fault } = opened;
    const contents: OpenedRecords['contents'] = [];
    if (dataBytes > 0) {
      contents.push({
        type: ContentType.applicationData,
        content: data ?? nothing,
        records: other ? opened.records - 1 : opened.records,
        passedBytes: data ? 0 : dataBytes,
      });
    }
    if (other) contents.push({ ...other, records: 1 });
    return fault ? { contents, fault: recordFaults[fault]() } : { contents };
  }

  free(): void {
    this.#engine.freeKeys(this.#keys);
  }
}

/** The first one at least. */
function batchOf(records: readonly Uint8Array[]): readonly Uint8Array[] {
  let bytes = 0;
  const end = records.findIndex((record, index) => {
    bytes += record.length;
    return index > 0 && bytes > MAX_BATCH_BYTES;
  });
  return end < 0 ? records : records.slice(0, end);
}
