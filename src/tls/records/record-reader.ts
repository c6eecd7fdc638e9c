import { ContentType, HEADER_BYTES } from '../ciphers/record-cipher.js';
import { Alert, RecordFault } from '../errors/record-fault.js';
import type { TlsVersion } from '../types.js';

/** What protection may add to 2^14 bytes of content (RFC 8446 section 5.2, RFC 5246 section 6.2.3). */
const MAX_RECORD_BYTES = { 'TLSv1.2': 16_384 + 2048, 'TLSv1.3': 16_384 + 256 };
/** What may stand in the header of a record after the handshake; TLS 1.3 hides the type of the content. */
const TYPES: Record<TlsVersion, readonly number[]> = {
  'TLSv1.2': [ContentType.alert, ContentType.handshake, ContentType.applicationData],
  'TLSv1.3': [ContentType.applicationData],
};
const MAJOR_VERSION = 3;
const MINOR_VERSION = 3;

/** Whole records, and what is wrong with the header behind them. */
export interface CutRecords {
  records: Uint8Array[];
  fault?: RecordFault;
}

/** Cuts the ciphertext that follows a handshake into records, at a cost that grows with its bytes however small its portions are. */
export class RecordReader {
  #version: TlsVersion;
  /** A record that is not there in full; of one whose header is not, the header alone. */
  #partial: Uint8Array = new Uint8Array(HEADER_BYTES);
  #partialBytes = 0;

  constructor(version: TlsVersion) {
    this.#version = version;
  }

  /** Takes the records that are now there in full, and what is wrong with the header behind them. */
  read(ciphertext: Uint8Array): CutRecords {
    const records: Uint8Array[] = [];
    try {
      for (let at = 0; at < ciphertext.length; ) {
        const rest = ciphertext.subarray(at);
        const whole = this.#partialBytes === 0 ? this.#wholeRecord(rest) : undefined;
        at += whole?.length ?? this.#gather(rest);
        const record = whole ?? this.#gathered();
        if (record) records.push(record);
      }
    } catch (error) {
      if (error instanceof RecordFault) return { records, fault: error };
      throw error;
    }
    return { records };
  }

  /** Without a copy: the usual case. */
  #wholeRecord(bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length < HEADER_BYTES) return undefined;
    const end = HEADER_BYTES + this.#checkedLength(bytes);
    return end <= bytes.length ? bytes.subarray(0, end) : undefined;
  }

  /** Returns how many bytes it took. */
  #gather(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.#partial.length - this.#partialBytes);
    this.#partial.set(taken, this.#partialBytes);
    this.#partialBytes += taken.length;
    if (this.#partialBytes === HEADER_BYTES) {
      const record = new Uint8Array(HEADER_BYTES + this.#checkedLength(this.#partial));
      record.set(this.#partial);
      this.#partial = record;
    }
    return taken.length;
  }

  #gathered(): Uint8Array | undefined {
    if (this.#partialBytes < HEADER_BYTES || this.#partialBytes < this.#partial.length) return undefined;
    const record = this.#partial;
    this.#partial = new Uint8Array(HEADER_BYTES);
    this.#partialBytes = 0;
    return record;
  }

  /** The length that a header announces. */
  #checkedLength(header: Uint8Array): number {
    const [type = 0, major = 0, minor = 0, high = 0, low = 0] = header;
    if (!TYPES[this.#version].includes(type)) {
      throw RecordFault.protocol(
        Alert.unexpectedMessage,
        `a record of type ${type} came after the handshake`,
      );
    }
    if (major !== MAJOR_VERSION) {
      throw RecordFault.protocol(Alert.decodeError, 'a record is of no known version');
    }
    // TLS 1.3 ignores it (RFC 8446 section 5.1), TLS 1.2 seals it with the content.
    if (this.#version === 'TLSv1.2' && minor !== MINOR_VERSION) {
      throw RecordFault.protocol(Alert.badRecordMac, 'a record is not authentic');
    }
    const length = high * 256 + low;
    if (length > MAX_RECORD_BYTES[this.#version]) {
      throw RecordFault.protocol(Alert.recordOverflow, 'a record is too large');
    }
    return length;
  }
}
