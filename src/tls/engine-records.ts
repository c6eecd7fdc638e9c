import { Emission } from '../engine/abi.js';
import type { CallResult } from '../engine/instance.js';
import { WireReader } from '../engine/wire.js';
import { MtlsError } from '../errors.js';
import { readFailure } from './failure.js';
import type { HandshakeRespondent } from './handshake.js';
import type { Received, RecordLayer, Transmit } from './record-layer.js';
import type { ExternalConnection, TlsEngine } from './tls-engine.js';

/** What a step of the handshake came to. */
export interface Negotiated extends Received {
  /** What the handshake agreed on; it is complete. */
  handshake?: Uint8Array;
}

/** The handshake, and all records that are left to the engine. */
export class EngineRecords implements RecordLayer {
  #engine: TlsEngine;
  #handle: number;
  #transmit: Transmit;

  constructor(engine: TlsEngine, handle: number, transmit: Transmit) {
    this.#engine = engine;
    this.#handle = handle;
    this.#transmit = transmit;
  }

  /** Undefined: nothing happened, and it wants the same input again with more behind it. */
  async negotiate(ciphertext: Uint8Array, respondent: HandshakeRespondent): Promise<Negotiated | undefined> {
    const result = await this.#engine.negotiate(this.#handle, ciphertext, respondent);
    return result && this.#take(result);
  }

  async receive(ciphertext: Uint8Array): Promise<Received> {
    return this.#take(this.#engine.receive(this.#handle, ciphertext));
  }

  async send(plaintext: Uint8Array): Promise<void> {
    this.#takeSent(this.#engine.send(this.#handle, plaintext));
  }

  async sendClose(): Promise<void> {
    this.#takeSent(this.#engine.sendClose(this.#handle));
  }

  /** Lets somebody else do the records from here on, if the cipher suite allows it; this is of no use any more then. */
  handOver(): ExternalConnection | undefined {
    return this.#engine.export(this.#handle);
  }

  free(): void {
    this.#engine.free(this.#handle);
  }

  #takeSent(result: CallResult): void {
    const { failure } = this.#take(result);
    if (failure) throw new MtlsError('ERR_TLS_PROTOCOL', `The connection cannot send: ${failure.message}.`);
  }

  #take({ status, emitted }: CallResult): Negotiated {
    if (status < 0 && emitted.length === 0)
      throw new MtlsError('ERR_CLIENT_CLOSED', 'The connection has been closed.');
    const taken: Negotiated = { plaintext: [], closed: false };
    for (const { kind, bytes } of emitted) {
      if (kind === Emission.ciphertext) this.#transmit(bytes);
      else if (kind === Emission.plaintext) taken.plaintext.push(bytes);
      else if (kind === Emission.handshake) taken.handshake = bytes;
      else if (kind === Emission.peerClosed) taken.closed = true;
      else if (kind === Emission.failure) taken.failure = readFailure(new WireReader(bytes));
    }
    return taken;
  }
}
