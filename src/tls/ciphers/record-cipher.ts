import { Alert, RecordFault } from '../errors/record-fault.js';
import type { TlsVersion } from '../types.js';
import type { OpeningFault, RecordEngine } from './record-engine.js';

export const HEADER_BYTES = 5;
export const MAX_CONTENT_BYTES = 16_384;
export const TAG_BYTES = 16;
export const ContentType = { alert: 21, handshake: 22, applicationData: 23 } as const;

const LEGACY_VERSION = 0x0303;

/** What a record carries, or several records of application data together. */
export interface RecordContent {
  type: number;
  content: Uint8Array;
  records: number;
  /** Application data that HTTP has got in the engine, and that is not in `content`. */
  passedBytes?: number;
}

export interface OpenedRecords {
  contents: RecordContent[];
  /** Why the record behind them cannot be opened. */
  fault?: RecordFault;
}

/** An HTTP connection in an instance of the engine. */
export interface EngineTarget {
  engine: RecordEngine;
  connection: number;
}

/**
 * Puts ciphertext on its way, without waiting for room. Called in the order of the records. With `roomBytes` the bytes are good for the
 * call alone, and so many in front of them may be written over.
 */
export type Transmit = (ciphertext: Uint8Array<ArrayBufferLike>, roomBytes?: number) => void;

/** What an HTTP connection has to send. */
export interface EngineOutput {
  target: EngineTarget | undefined;
  /** Takes it out of the engine, in pieces that share no record. They are good for the call of `use` alone. */
  take(use: (pieces: readonly Uint8Array[]) => void): void;
}

/**
 * Seals or opens the records of one direction (RFC 8446 section 5.2; RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905). Calls may
 * overlap: the numbers of records are taken when a call begins.
 */
export interface RecordCipher {
  readonly version: TlsVersion;
  /** Whether the keys may seal no more. */
  readonly isUsedUp: boolean;
  /** The whole records for content of any length. */
  seal(type: number, content: Uint8Array): Promise<Uint8Array> | Uint8Array;
  /** Transmits the whole records for application data, behind those of earlier calls. */
  sealOutput(output: EngineOutput, transmit: Transmit): Promise<void> | void;
  /** Begins to open whole records, if that can be done beside other work. `open` is to follow for each of them, in this order. */
  announce?(records: readonly Uint8Array[]): void;
  /**
   * Opens whole records from the first one on, not always all of them. Application data goes to the HTTP connection, where that is in
   * the engine that opens them. `release`: see `RecordLayer.receive`.
   */
  open(
    records: readonly Uint8Array[],
    target: EngineTarget | undefined,
    release?: () => void,
  ): Promise<OpenedRecords> | OpenedRecords;
  /** Forgets the keys. */
  free(): void;
}

export function recordHeader(type: number, length: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = type;
  header[1] = LEGACY_VERSION >> 8;
  header[2] = LEGACY_VERSION & 0xff;
  header[3] = length >> 8;
  header[4] = length & 0xff;
  return header;
}

export function notAuthentic(): RecordFault {
  return RecordFault.protocol(Alert.badRecordMac, 'a record is not authentic');
}

export function tooLarge(): RecordFault {
  return RecordFault.protocol(Alert.recordOverflow, 'a record is too large');
}

export function withoutType(): RecordFault {
  return RecordFault.protocol(Alert.unexpectedMessage, 'a record has no content type');
}

export const recordFaults: Record<OpeningFault, () => RecordFault> = {
  'not authentic': notAuthentic,
  'too large': tooLarge,
  'no type': withoutType,
};
