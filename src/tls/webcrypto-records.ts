import { FailureKind } from '../engine/abi.js';
import { concatenated } from '../engine/bytes.js';
import { MtlsError } from '../errors.js';
import type { Failure } from './failure.js';
import {
  ContentType,
  HEADER_BYTES,
  RecordCipher,
  type RecordContent,
  type Version,
} from './record-cipher.js';
import type { Received, RecordLayer, Transmit } from './record-layer.js';
import type { ExternalConnection } from './tls-engine.js';

const MAX_CONTENT_BYTES = 16_384;
/** What protection may add to a record (RFC 8446 section 5.2, RFC 5246 section 6.2.3). */
const MAX_OVERHEAD_BYTES = { 'TLSv1.2': 2048, 'TLSv1.3': 256 };
/** Handshake messages after the handshake are small. */
const MAX_HANDSHAKE_BYTES = 64 * 1024;
/** What a server may do in a row without sending data, so that it cannot keep us busy, nor fill our memory with answers. As rustls does. */
const MAX_EMPTY_RECORDS = 32;
const MAX_KEY_UPDATE_REQUESTS = 32;
/** In the life of a connection, whatever lies between them. As rustls does. */
const MAX_WARNING_ALERTS = 4;
/** Enough to keep WebCrypto busy; bounds what is opened in vain before new keys. */
const MAX_OPEN_AT_ONCE = 16;
/** New keys are due long before AES-GCM's limit of 2^24.5 records (RFC 8446 section 5.5). */
const RECORDS_PER_KEY = 2 ** 23;

const HandshakeType = {
  helloRequest: 0,
  newSessionTicket: 4,
  certificateRequest: 13,
  keyUpdate: 24,
} as const;
const Alert = {
  closeNotify: 0,
  unexpectedMessage: 10,
  badRecordMac: 20,
  recordOverflow: 22,
  decodeError: 50,
  userCanceled: 90,
  noRenegotiation: 100,
} as const;
const WARNING = 1;
const FATAL = 2;

class RecordError extends Error {
  readonly alert: number;

  constructor(alert: number, message: string) {
    super(message);
    this.alert = alert;
  }
}

/**
 * AES-GCM records by WebCrypto, which is many times as fast as WebAssembly without AES instructions. The engine
 * keeps the tickets and makes new keys.
 */
export class WebCryptoRecords implements RecordLayer {
  #external: ExternalConnection;
  #transmit: Transmit;
  #version: Version;
  #sealing: RecordCipher;
  #opening: RecordCipher;
  #incoming: Uint8Array;
  #handshake: Uint8Array = new Uint8Array(0);
  #emptyRecords = 0;
  #keyUpdateRequests = 0;
  #warningAlerts = 0;
  /** One at a time, so that records leave in the order of their numbers. */
  #turn: Promise<void> = Promise.resolve();

  static async create(
    external: ExternalConnection,
    { version, transmit }: { version: Version; transmit: Transmit },
  ): Promise<WebCryptoRecords> {
    try {
      const [sealing, opening] = await Promise.all([
        RecordCipher.create(external.sendKeys, { version, for: 'encrypt' }),
        RecordCipher.create(external.receiveKeys, { version, for: 'decrypt' }),
      ]);
      return new WebCryptoRecords(external, { sealing, opening, transmit });
    } catch (error) {
      external.free();
      throw error;
    }
  }

  private constructor(
    external: ExternalConnection,
    parts: { sealing: RecordCipher; opening: RecordCipher; transmit: Transmit },
  ) {
    this.#external = external;
    this.#incoming = external.incoming;
    this.#sealing = parts.sealing;
    this.#opening = parts.opening;
    this.#version = parts.sealing.version;
    this.#transmit = parts.transmit;
  }

  async receive(ciphertext: Uint8Array): Promise<Received> {
    const received: Received = { plaintext: [], closed: false };
    try {
      const { records, excess } = this.#completeRecords(ciphertext);
      await this.#openAll(records, received);
      if (excess && !received.closed) throw excess;
    } catch (error) {
      received.failure = await this.#fail(error);
    }
    return received;
  }

  send(plaintext: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      const updated = this.#sealing.sequence >= RECORDS_PER_KEY ? await this.#updateSendKeys() : [];
      const records: Promise<Uint8Array>[] = [];
      for (let start = 0; start < plaintext.length; start += MAX_CONTENT_BYTES) {
        const content = plaintext.subarray(start, start + MAX_CONTENT_BYTES);
        records.push(this.#sealing.seal(ContentType.applicationData, content));
      }
      return concatenated([...updated, ...(await Promise.all(records))]);
    });
  }

  sendClose(): Promise<void> {
    return this.#sendAlert(WARNING, Alert.closeNotify);
  }

  free(): void {
    this.#external.free();
  }

  #inTurn(seal: () => Promise<Uint8Array>): Promise<void> {
    const done = this.#turn.then(async () => this.#transmit(await seal()));
    this.#turn = done.catch(() => {});
    return done;
  }

  #sendAlert(level: number, alert: number): Promise<void> {
    return this.#inTurn(() => this.#sealing.seal(ContentType.alert, Uint8Array.of(level, alert)));
  }

  /** Cuts off the records that are there in full; the rest waits for more. What came before an excessive record is good. */
  #completeRecords(ciphertext: Uint8Array): { records: Uint8Array[]; excess?: RecordError } {
    const bytes = this.#incoming.length > 0 ? concatenated([this.#incoming, ciphertext]) : ciphertext;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const records: Uint8Array[] = [];
    let start = 0;
    while (start + HEADER_BYTES <= bytes.length) {
      const length = view.getUint16(start + 3);
      if (length > MAX_CONTENT_BYTES + MAX_OVERHEAD_BYTES[this.#version]) {
        return { records, excess: new RecordError(Alert.recordOverflow, 'a record is too large') };
      }
      const end = start + HEADER_BYTES + length;
      if (end > bytes.length) break;
      records.push(bytes.subarray(start, end));
      start = end;
    }
    this.#incoming = bytes.slice(start);
    return { records };
  }

  /** All at once, taken in order. After new keys, what was opened with the old ones is opened again. */
  async #openAll(records: Uint8Array[], received: Received): Promise<void> {
    let left = records;
    while (left.length > 0 && !received.closed) {
      const cipher = this.#opening;
      const opened = left.slice(0, MAX_OPEN_AT_ONCE).map(record => cipher.open(record));
      for (const attempt of opened) attempt.catch(() => {});
      let taken = 0;
      for (const attempt of opened) {
        await this.#takeRecord(await authentic(attempt), received);
        taken++;
        if (this.#opening !== cipher || received.closed) break;
      }
      left = left.slice(taken);
    }
  }

  async #takeRecord({ type, content }: RecordContent, received: Received): Promise<void> {
    if (content.length > MAX_CONTENT_BYTES)
      throw new RecordError(Alert.recordOverflow, 'a record is too large');
    if (this.#handshake.length > 0 && type !== ContentType.handshake) {
      throw new RecordError(Alert.unexpectedMessage, 'a handshake message is interrupted');
    }
    this.#emptyRecords = content.length > 0 ? 0 : this.#emptyRecords + 1;
    if (this.#emptyRecords > MAX_EMPTY_RECORDS)
      throw new RecordError(Alert.unexpectedMessage, 'too many records are empty');
    if (type === ContentType.applicationData) {
      this.#keyUpdateRequests = 0;
      if (content.length > 0) received.plaintext.push(content);
    } else if (type === ContentType.alert) this.#takeAlert(content, received);
    else if (type === ContentType.handshake) await this.#takeHandshake(content);
    else throw new RecordError(Alert.unexpectedMessage, `a record of type ${type} came after the handshake`);
  }

  #takeAlert(content: Uint8Array, received: Received): void {
    const [level, alert] = content;
    if (alert === undefined || content.length !== 2)
      throw new RecordError(Alert.decodeError, 'an alert is malformed');
    if (alert === Alert.closeNotify) received.closed = true;
    else if (alert !== Alert.userCanceled && (level !== WARNING || this.#version !== 'TLSv1.2')) {
      throw new ReceivedAlert(alert);
    } else if (++this.#warningAlerts > MAX_WARNING_ALERTS) {
      throw new RecordError(Alert.unexpectedMessage, 'too many alerts are warnings');
    }
  }

  async #takeHandshake(content: Uint8Array): Promise<void> {
    this.#handshake = concatenated([this.#handshake, content]);
    if (this.#handshake.length > MAX_HANDSHAKE_BYTES) {
      throw new RecordError(Alert.decodeError, 'a handshake message is too large');
    }
    for (let message = this.#nextMessage(); message; message = this.#nextMessage()) {
      await this.#takeMessage(message.type, message.body);
    }
  }

  #nextMessage(): { type: number; body: Uint8Array } | undefined {
    const [type, high = 0, middle = 0, low = 0] = this.#handshake;
    const end = 4 + (high << 16) + (middle << 8) + low;
    if (type === undefined || this.#handshake.length < Math.max(end, 4)) return undefined;
    const body = this.#handshake.subarray(4, end);
    this.#handshake = this.#handshake.subarray(end);
    return { type, body };
  }

  async #takeMessage(type: number, body: Uint8Array): Promise<void> {
    if (type === HandshakeType.helloRequest && this.#version === 'TLSv1.2') {
      throw new RenegotiationRequest(WARNING, Alert.noRenegotiation);
    } else if (type === HandshakeType.certificateRequest && this.#version === 'TLSv1.3') {
      throw new RenegotiationRequest(FATAL, Alert.unexpectedMessage);
    } else if (type === HandshakeType.newSessionTicket && this.#version === 'TLSv1.3') {
      if (!this.#external.keepTicket(body))
        throw new RecordError(Alert.decodeError, 'a session ticket is malformed');
    } else if (type === HandshakeType.keyUpdate && this.#version === 'TLSv1.3')
      await this.#takeKeyUpdate(body);
    else
      throw new RecordError(
        Alert.unexpectedMessage,
        `a handshake message of type ${type} came after the handshake`,
      );
  }

  async #takeKeyUpdate(body: Uint8Array): Promise<void> {
    const [request] = body;
    if (body.length !== 1 || request === undefined || request > 1) {
      throw new RecordError(Alert.decodeError, 'a key update is malformed');
    }
    if (this.#handshake.length > 0) {
      throw new RecordError(Alert.unexpectedMessage, 'a key update is not the end of its record');
    }
    if (request === 1 && ++this.#keyUpdateRequests > MAX_KEY_UPDATE_REQUESTS) {
      throw new RecordError(Alert.unexpectedMessage, 'too many key updates are asked for');
    }
    const keys = this.#external.updateKeys('receive');
    this.#opening = await RecordCipher.create(keys, { version: this.#version, for: 'decrypt' });
    // Not waited for: a server that does not read must not keep us from reading.
    if (request === 1) this.#inTurn(async () => concatenated(await this.#updateSendKeys())).catch(() => {});
  }

  /** The message that announces the new keys, sealed with the old ones. */
  async #updateSendKeys(): Promise<Uint8Array[]> {
    if (this.#version === 'TLSv1.2') throw usedUp();
    const message = Uint8Array.of(HandshakeType.keyUpdate, 0, 0, 1, 0);
    const announced = await this.#sealing.seal(ContentType.handshake, message);
    const keys = this.#external.updateKeys('send');
    this.#sealing = await RecordCipher.create(keys, { version: this.#version, for: 'encrypt' });
    return [announced];
  }

  async #fail(error: unknown): Promise<Failure> {
    if (error instanceof ReceivedAlert) {
      return { kind: FailureKind.alert, alert: error.alert, message: `received fatal alert ${error.alert}` };
    }
    if (error instanceof RenegotiationRequest) {
      await this.#sendAlert(error.level, error.alert).catch(() => {});
      return { kind: FailureKind.renegotiation, alert: 0, message: error.message };
    }
    if (!(error instanceof RecordError)) throw error;
    await this.#sendAlert(FATAL, error.alert).catch(() => {});
    return { kind: FailureKind.protocol, alert: 0, message: error.message };
  }
}

/** The server asks for what this client does not do after the handshake; the alert says no. */
class RenegotiationRequest extends Error {
  readonly level: number;
  readonly alert: number;

  constructor(level: number, alert: number) {
    super('another handshake, or a certificate, was asked for');
    this.level = level;
    this.alert = alert;
  }
}

class ReceivedAlert extends Error {
  readonly alert: number;

  constructor(alert: number) {
    super('alert');
    this.alert = alert;
  }
}

/** TLS 1.2 has no key updates. */
function usedUp(): MtlsError {
  return new MtlsError(
    'ERR_TLS_PROTOCOL',
    'The connection has sent all that its keys are good for (2^23 records over TLS 1.2): connect again, or have the server allow TLS 1.3.',
  );
}

async function authentic(attempt: Promise<RecordContent>): Promise<RecordContent> {
  try {
    return await attempt;
  } catch {
    throw new RecordError(Alert.badRecordMac, 'a record is not authentic');
  }
}
