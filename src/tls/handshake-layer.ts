import { Emission } from '../engine/abi.js';
import type { Conversation } from '../engine/conversation.js';
import type { CallResult } from '../engine/instance.js';
import { WireReader } from '../engine/wire.js';
import { MtlsError } from '../errors.js';
import { type Failure, readFailure } from './failure.js';
import type { HandshakeRespondent } from './handshake.js';
import type { Transmit } from './record-layer.js';
import type { ExternalConnection, TlsEngine } from './tls-engine.js';

/** What a step of the handshake came to. */
export interface Negotiated {
  /** What the handshake agreed on; it is complete. */
  handshake?: Uint8Array;
  failure?: Failure;
}

/** A handshake by the engine. */
export class Negotiation {
  #engine: TlsEngine;
  #handle: number;
  #conversation: Conversation;
  #transmit: Transmit;

  constructor(
    engine: TlsEngine,
    handle: number,
    { respondent, transmit }: { respondent: HandshakeRespondent; transmit: Transmit },
  ) {
    this.#engine = engine;
    this.#handle = handle;
    this.#conversation = engine.converse(handle, respondent);
    this.#transmit = transmit;
  }

  async advance(ciphertext: Uint8Array): Promise<Negotiated> {
    return this.#take(await this.#conversation.hear(ciphertext));
  }

  /** Tells the server that this side ends the handshake, by an alert. */
  abandon(alert: number): void {
    const records = this.#engine.abandon(this.#handle, alert, this.#conversation.unheard);
    if (!records?.length) return;
    for (const { kind, bytes } of this.#conversation.takeEmitted())
      if (kind === Emission.ciphertext) this.#transmit(bytes);
    this.#transmit(records);
  }

  /** Gives the records of a complete handshake to somebody else; this is of no use any more then. */
  handOver(): ExternalConnection {
    return this.#engine.export(this.#handle);
  }

  free(): void {
    this.#conversation.end();
    this.#engine.free(this.#handle);
  }

  #take({ status, emitted }: CallResult): Negotiated {
    if (status < 0 && emitted.length === 0)
      throw new MtlsError('ERR_CLIENT_CLOSED', 'The connection has been closed.');
    const taken: Negotiated = {};
    for (const { kind, bytes } of emitted) {
      if (kind === Emission.ciphertext) this.#transmit(bytes);
      else if (kind === Emission.handshake) taken.handshake = bytes;
      else if (kind === Emission.failure) taken.failure = readFailure(new WireReader(bytes));
    }
    return taken;
  }
}
