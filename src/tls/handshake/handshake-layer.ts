import { Emission } from '../../engine/abi.js';
import { Conversation } from '../../engine/conversation.js';
import type { CallResult, Instance } from '../../engine/instance.js';
import type { Respondent, Transactions } from '../../engine/transaction.js';
import { WireReader } from '../../engine/wire.js';
import { MtlsError } from '../../errors.js';
import type { Transmit } from '../ciphers/record-cipher.js';
import type { RecordEngine } from '../ciphers/record-engine.js';
import { readKeys } from '../ciphers/traffic-keys.js';
import { type Failure, readFailure } from '../errors/failure.js';
import { ExternalConnection } from '../records/external-connection.js';

/** Answers the questions of a handshake, and sends what it says. */
export interface HandshakeHost {
  respondent: Respondent;
  transmit: Transmit;
}

/** What came of ciphertext during the handshake. */
export interface HandshakeStep {
  /** What the handshake agreed on; it is complete. */
  agreed?: Uint8Array;
  failure?: Failure;
}

/** What the handshakes of one configuration share. */
export interface HandshakeEngine {
  instance: Instance;
  transactions: Transactions;
  records: RecordEngine;
  logKeys?: ((line: string) => void) | undefined;
}

/** The records of a connection until its handshake is complete: the engine's. `RecordLayer` follows. */
export class HandshakeLayer {
  #instance: Instance;
  #handle: number;
  #conversation: Conversation;
  #transmit: Transmit;
  #records: RecordEngine;
  #logKeys: ((line: string) => void) | undefined;

  constructor(engine: HandshakeEngine, handle: number, { respondent, transmit }: HandshakeHost) {
    const { instance, transactions } = engine;
    this.#instance = instance;
    this.#records = engine.records;
    this.#logKeys = engine.logKeys;
    this.#handle = handle;
    this.#transmit = transmit;
    const name = 'tls_connection_process';
    this.#conversation = new Conversation({ instance, transactions, name, object: handle, respondent });
  }

  /** Takes ciphertext in any portions; none starts the handshake. Not to be called again before the last call has settled. */
  async receive(ciphertext: Uint8Array): Promise<HandshakeStep> {
    return this.#take(await this.#conversation.hear(ciphertext));
  }

  /** Ends the handshake, and tells the server by an alert (RFC 8446 section 6) where that is possible. */
  abandon(alert: number): void {
    const { unheard } = this.#conversation;
    const { emitted } = this.#instance.call('tls_connection_abandon', [this.#handle, alert, unheard]);
    const records = emitted.find(it => it.kind === Emission.ciphertext)?.bytes;
    if (!records?.length) return;
    for (const { kind, bytes } of this.#conversation.takeEmitted())
      if (kind === Emission.ciphertext) this.#transmit(bytes);
    this.#transmit(records);
  }

  /** Hands the records of a complete handshake over; nothing more can be done here then. */
  handOver(): ExternalConnection {
    const { status, emitted } = this.#instance.call('tls_connection_export', [this.#handle]);
    const [keys, incoming] = emitted;
    if (status < 0 || keys?.kind !== Emission.keys || !incoming) {
      throw new MtlsError('ERR_ENGINE_FAILED', 'The engine could not hand the records over.');
    }
    const reader = new WireReader(keys.bytes);
    const [sendKeys, receiveKeys] = [readKeys(reader), readKeys(reader)];
    keys.bytes.fill(0);
    return new ExternalConnection(this.#instance, status, {
      sendKeys,
      receiveKeys,
      incoming: incoming.bytes,
      records: this.#records,
    });
  }

  free(): void {
    this.#conversation.end();
    this.#instance.call('tls_connection_free', [this.#handle]);
  }

  #take({ status, emitted }: CallResult): HandshakeStep {
    if (status < 0 && emitted.length === 0)
      throw new MtlsError('ERR_CLIENT_CLOSED', 'The connection has been closed.');
    const step: HandshakeStep = {};
    for (const { kind, bytes } of emitted) {
      if (kind === Emission.ciphertext) this.#transmit(bytes);
      else if (kind === Emission.handshake) step.agreed = bytes;
      else if (kind === Emission.keyLog) this.#tellKeys(bytes);
      else if (kind === Emission.failure) step.failure = readFailure(new WireReader(bytes));
    }
    return step;
  }

  /** Tells the page outside of what goes on here. */
  #tellKeys(lines: Uint8Array): void {
    for (const line of new TextDecoder().decode(lines).trimEnd().split('\n')) {
      Promise.resolve(line).then(this.#logKeys);
    }
  }
}
