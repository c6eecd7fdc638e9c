import { EngineCipher } from '../ciphers/engine-cipher.js';
import {
  ContentType,
  type EngineTarget,
  type OpenedRecords,
  type RecordCipher,
  type RecordContent,
  type Transmit,
} from '../ciphers/record-cipher.js';
import { Algorithm, type TrafficKeys } from '../ciphers/traffic-keys.js';
import { WebCryptoCipher } from '../ciphers/web-crypto-cipher.js';
import type { Failure } from '../errors/failure.js';
import { Alert, AlertLevel, RecordFault } from '../errors/record-fault.js';
import type { TlsVersion } from '../types.js';
import type { ExternalConnection } from './external-connection.js';
import { FloodLimits } from './flood-limits.js';
import { type HandshakeMessage, HandshakeMessages, HandshakeType } from './handshake-messages.js';
import { type CutRecords, RecordReader } from './record-reader.js';
import { RecordSender } from './record-sender.js';

/** What came of ciphertext: everything before a failure is good. */
export interface Received {
  plaintext: Uint8Array[];
  /** Length of the plaintext that HTTP has got in the engine. */
  passedBytes: number;
  /** The server has sent close_notify: no plaintext follows. */
  closed: boolean;
  failure?: Failure;
  /** The layer itself has failed: the engine, say. */
  broken?: { by: unknown };
}

type Opening = Promise<OpenedRecords> | OpenedRecords;

/** Where data goes, and how the memory of its ciphertext is freed. */
interface Places {
  target: EngineTarget | undefined;
  release: (() => void) | undefined;
}

const UPDATE_REQUESTED = 1;

/**
 * The records of a connection after its handshake (RFC 8446 sections 4.6, 5 and 6; RFC 5246 sections 6.2 and 7.2), the same for all
 * cipher suites. The engine keeps the tickets and makes new keys.
 */
export class RecordLayer {
  readonly sender: RecordSender;
  #external: ExternalConnection;
  #version: TlsVersion;
  #opening: RecordCipher;
  #reader: RecordReader;
  /** What `receive` is to follow for. */
  #begun: CutRecords[] = [];
  #handshake = new HandshakeMessages();
  #floods: FloodLimits;

  static async create(
    external: ExternalConnection,
    { version, transmit, warnings }: { version: TlsVersion; transmit: Transmit; warnings: number },
  ): Promise<RecordLayer> {
    const { sendKeys, receiveKeys } = external;
    try {
      const [sealing, opening] = await Promise.all([
        createCipher(external, { version, keys: sendKeys, use: 'encrypt' }),
        createCipher(external, { version, keys: receiveKeys, use: 'decrypt' }),
      ]);
      const nextCipher = () =>
        createCipher(external, { version, keys: external.updateKeys('send'), use: 'encrypt' });
      const sender = new RecordSender(sealing, { transmit, nextCipher });
      return new RecordLayer(external, { sender, opening, warnings });
    } catch (error) {
      external.free();
      throw error;
    }
  }

  private constructor(
    external: ExternalConnection,
    parts: { sender: RecordSender; opening: RecordCipher; warnings: number },
  ) {
    this.#external = external;
    this.sender = parts.sender;
    this.#opening = parts.opening;
    this.#version = parts.opening.version;
    this.#reader = new RecordReader(this.#version);
    this.#floods = new FloodLimits(parts.warnings);
  }

  /** Whether records are opened beside other work, so that it pays to read on meanwhile. */
  get opensAside(): boolean {
    return this.#opening.announce !== undefined;
  }

  /** Takes ciphertext in any portions, and begins to open it. `receive` is to follow, in the same order. */
  begin(ciphertext: Uint8Array): CutRecords {
    const { fault } = this.#begun.at(-1) ?? {};
    // Behind such a header nothing can be told apart.
    const cut = fault ? { records: [], fault } : this.#reader.read(ciphertext);
    this.#opening.announce?.(cut.records);
    this.#begun.push(cut);
    return cut;
  }

  /**
   * What comes of ciphertext. Application data goes to the HTTP connection where it can. `release` may be called when the ciphertext is
   * not used any longer: new memory for the plaintext costs a browser less when that of the ciphertext is free by then. Not to be called
   * again before the last call has resolved.
   */
  receive(cut: CutRecords, target?: EngineTarget, release?: () => void): Promise<Received> | Received {
    this.#begun.shift();
    const received: Received = { plaintext: [], passedBytes: 0, closed: false };
    const opened = this.#open(cut.records, { target, release });
    if (cut.fault || !this.#isData(opened, cut.records.length))
      return this.#receiveAll(cut, received, { target, release, opened });
    for (const content of opened.contents) this.#takeData(content, received);
    return received;
  }

  /** Whether that is all, and no more is to be done than to hand it on. */
  #isData(opened: Opening, count: number): opened is OpenedRecords {
    if (opened instanceof Promise || opened.fault || this.#handshake.isInside) return false;
    let records = 0;
    for (const { type, content, passedBytes = 0, records: ofContent } of opened.contents) {
      if (type !== ContentType.applicationData || content.length + passedBytes === 0) return false;
      records += ofContent;
    }
    return records === count;
  }

  async #receiveAll(
    { records, fault }: CutRecords,
    received: Received,
    places: Places & { opened: Opening },
  ): Promise<Received> {
    try {
      await this.#openAll(records, received, places);
      if (fault && !received.closed) throw fault;
    } catch (error) {
      if (error instanceof RecordFault) received.failure = await this.#refuse(error);
      else received.broken = { by: error };
    }
    return received;
  }

  async #refuse({ reply, failure }: RecordFault): Promise<Failure> {
    if (reply) await this.sender.sendAlert(reply.level, reply.alert).catch(() => {});
    return failure;
  }

  /** Forgets the keys. */
  free(): void {
    this.#external.free();
    this.sender.free();
    this.#opening.free();
  }

  #open(records: Uint8Array[], { target, release }: Places): Opening {
    if (records.length === 0) return { contents: [] };
    try {
      // Inside a handshake message data is refused: it must not have passed by then.
      return this.#opening.open(records, this.#handshake.isInside ? undefined : target, release);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** All at once, taken in order; the first have been opened. After new keys, what was opened with the old ones is opened again. */
  async #openAll(
    records: Uint8Array[],
    received: Received,
    { opened, ...places }: Places & { opened: Opening },
  ): Promise<void> {
    let left = records;
    let begun: Opening | undefined = opened;
    while (left.length > 0 && !received.closed) {
      const cipher = this.#opening;
      const opening = begun ?? this.#open(left, places);
      begun = undefined;
      const { contents, fault } = opening instanceof Promise ? await opening : opening;
      let taken = 0;
      for (const content of contents) {
        const taking = this.#takeContent(content, received);
        if (taking) await taking;
        taken += content.records;
        if (this.#opening !== cipher || received.closed) break;
      }
      if (fault && this.#opening === cipher && !received.closed) throw fault;
      left = left.slice(taken);
      if (this.#opening !== cipher)
        this.#opening.announce?.([...left, ...this.#begun.flatMap(it => it.records)]);
    }
  }

  #takeContent(opened: RecordContent, received: Received): Promise<void> | void {
    const { type, content } = opened;
    if (this.#handshake.isInside && type !== ContentType.handshake) {
      throw RecordFault.protocol(Alert.unexpectedMessage, 'a handshake message is interrupted');
    }
    if (type === ContentType.applicationData) this.#takeData(opened, received);
    else if (content.length === 0)
      throw RecordFault.protocol(Alert.unexpectedMessage, `a record of type ${type} is empty`);
    else if (type === ContentType.alert) this.#takeAlert(content, received);
    else if (type === ContentType.handshake) return this.#takeHandshake(content);
    else {
      throw RecordFault.protocol(
        Alert.unexpectedMessage,
        `a record of type ${type} came after the handshake`,
      );
    }
  }

  #takeData({ content, passedBytes = 0 }: RecordContent, received: Received): void {
    if (content.length + passedBytes === 0) {
      this.#floods.count('empty records');
      return;
    }
    this.#floods.reset();
    received.passedBytes += passedBytes;
    if (content.length > 0) received.plaintext.push(content);
  }

  #takeAlert(content: Uint8Array, received: Received): void {
    const [level, alert] = content;
    if (alert === undefined || content.length !== 2)
      throw RecordFault.protocol(Alert.decodeError, 'an alert is malformed');
    if (level !== AlertLevel.warning && level !== AlertLevel.fatal)
      throw RecordFault.received(alert, Alert.illegalParameter);
    if (alert === Alert.closeNotify) received.closed = true;
    else if (level === AlertLevel.fatal) throw RecordFault.received(alert);
    // TLS 1.3 has no warnings but user_canceled (RFC 8446 section 6).
    else if (this.#version === 'TLSv1.3' && alert !== Alert.userCanceled)
      throw RecordFault.received(alert, Alert.decodeError);
    else this.#floods.countWarning();
  }

  async #takeHandshake(content: Uint8Array): Promise<void> {
    this.#handshake.push(content);
    for (let message = this.#handshake.next(); message; message = this.#handshake.next()) {
      if (this.#version === 'TLSv1.3') await this.#takeMessage(message);
      else takeLegacyMessage(message);
    }
  }

  async #takeMessage({ type, body }: HandshakeMessage): Promise<void> {
    if (type === HandshakeType.keyUpdate) return this.#takeKeyUpdate(body);
    if (type === HandshakeType.certificateRequest)
      throw RecordFault.renegotiation({ level: AlertLevel.fatal, alert: Alert.unexpectedMessage });
    if (type !== HandshakeType.newSessionTicket) throw unexpectedMessage(type);
    this.#floods.count('session tickets');
    const alert = this.#external.keepTicket(body);
    if (alert !== undefined) throw RecordFault.protocol(alert, 'a session ticket is malformed');
  }

  async #takeKeyUpdate(body: Uint8Array): Promise<void> {
    const [request = 0] = body;
    if (body.length !== 1) throw RecordFault.protocol(Alert.decodeError, 'a key update is malformed');
    if (request > UPDATE_REQUESTED)
      throw RecordFault.protocol(Alert.illegalParameter, 'a key update asks for what does not exist');
    if (this.#handshake.isInside)
      throw RecordFault.protocol(Alert.unexpectedMessage, 'a key update is not the end of its record');
    this.#floods.count('key updates');
    const used = this.#opening;
    const keys = this.#external.updateKeys('receive');
    this.#opening = await createCipher(this.#external, { version: this.#version, keys, use: 'decrypt' });
    used.free();
    if (request === UPDATE_REQUESTED) this.sender.updateKeys();
  }
}

async function createCipher(
  { records }: ExternalConnection,
  { version, keys, use }: { version: TlsVersion; keys: TrafficKeys; use: 'encrypt' | 'decrypt' },
): Promise<RecordCipher> {
  if (keys.algorithm === Algorithm.chacha20Poly1305) return new EngineCipher(records, version, keys);
  return WebCryptoCipher.create(version, keys, { use, engine: records });
}

/** Nothing may come in TLS 1.2 but the request for another handshake; the alert says no (RFC 5246 section 7.4.1.1). */
function takeLegacyMessage({ type, body }: HandshakeMessage): never {
  if (type !== HandshakeType.helloRequest) throw unexpectedMessage(type);
  if (body.length > 0) throw RecordFault.protocol(Alert.decodeError, 'a HelloRequest is malformed');
  throw RecordFault.renegotiation({ level: AlertLevel.warning, alert: Alert.noRenegotiation });
}

function unexpectedMessage(type: number): RecordFault {
  return RecordFault.protocol(
    Alert.unexpectedMessage,
    `a handshake message of type ${type} came after the handshake`,
  );
}
