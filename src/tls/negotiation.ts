import { Emission } from '../engine/abi.js';
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
  #transmit: Transmit;

  constructor(engine: TlsEngine, handle: number, transmit: Transmit) {
    this.#engine = engine;
    this.#handle = handle;
    this.#transmit = transmit;
  }

  /** Undefined: nothing happened, and it wants the same input again with more behind it. */
  async advance(ciphertext: Uint8Array, respondent: HandshakeRespondent): Promise<Negotiated | undefined> {
    const result = await this.#engine.negotiate(this.#handle, ciphertext, respondent);
    return result && this.#take(result);
  }

  /** Gives the records of a complete handshake to somebody else; this is of no use any more then. */
  handOver(): ExternalConnection {
    return this.#engine.export(this.#handle);
  }

  free(): void {
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
