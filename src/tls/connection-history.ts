import type { MtlsError } from '../errors.js';
import {
  type ClientCertificateState,
  explainedTimeout,
  type FailedConnection,
  type Failure,
  isReset,
  refusalError,
  type SeenConnection,
  tlsError,
  truncationError,
} from './errors/failure.js';
import { ClearHandshake } from './handshake/clear-handshake.js';
import { HandshakeRespondent } from './handshake/handshake-respondent.js';
import { RecordBoundary } from './records/record-boundary.js';
import type { TlsEngine } from './tls-engine.js';
import type { TlsConnectOptions, TlsInfo, TlsVersion } from './types.js';

/** Follows a connection, and explains by what has happened so far why it has failed. */
export class ConnectionHistory {
  /** Bytes of ciphertext. */
  bytesSent = 0;
  bytesReceived = 0;
  readonly respondent: HandshakeRespondent;
  /** What the handshake agreed on; undefined until it is complete. */
  #info: TlsInfo | undefined;
  #handshakeEndMs = 0;
  #anyData = false;
  #boundary = new RecordBoundary();
  #clear = new ClearHandshake();
  #options: TlsConnectOptions;
  #versions: readonly TlsVersion[];

  constructor(options: TlsConnectOptions, engine: Pick<TlsEngine, 'versions' | 'shown'>) {
    this.respondent = new HandshakeRespondent(options, { clear: this.#clear, shown: engine.shown });
    this.#options = options;
    this.#versions = engine.versions;
  }

  get info(): TlsInfo | undefined {
    return this.#info;
  }

  /** Headers and records that have been received in full. */
  get steps(): number {
    return this.#boundary.steps;
  }

  /** Alerts of the server that have not ended the handshake. */
  get warnings(): number {
    return this.#clear.warnings;
  }

  noteSent(ciphertext: Uint8Array): void {
    this.bytesSent += ciphertext.length;
  }

  noteReceived(ciphertext: Uint8Array): void {
    this.bytesReceived += ciphertext.length;
    const onContent = (type: number, piece: Uint8Array) => this.#clear.take(type, piece);
    this.#boundary.follow(ciphertext, this.#info ? undefined : onContent);
  }

  noteHandshake(info: TlsInfo): void {
    this.#info = info;
    this.#handshakeEndMs = performance.now();
  }

  noteData(): void {
    this.#anyData = true;
  }

  /** The error for a failure of the records. */
  errorFor(failure: Failure): MtlsError {
    return tlsError(failure, this.#failedConnection());
  }

  /** The error for an end of the stream without close_notify. */
  truncation(cause?: unknown): MtlsError {
    return truncationError(this.#seen(), this.#client(), cause);
  }

  /** What an error of the stream is reported as. */
  errorOfStream(error: unknown): unknown {
    return isReset(error) ? this.truncation(error) : error;
  }

  /** The error for an end with close_notify by which the server refuses the client; undefined: it does not. */
  refusal(): MtlsError | undefined {
    return this.#options.expectsData ? refusalError(this.#seen(), this.#client()) : undefined;
  }

  /** A timeout with what may be its cause; any other reason as it is. */
  explained(reason: unknown): unknown {
    return explainedTimeout(reason, this.#seen());
  }

  #failedConnection(): FailedConnection {
    const offered = { versions: this.#versions, alpn: this.#options.alpn ?? [] };
    return { client: this.#client(), seen: this.#seen(), offered };
  }

  #client(): ClientCertificateState {
    const { requested, sent } = this.respondent;
    return { requested, sent, absence: this.#options.absence?.() };
  }

  #seen(): SeenConnection {
    return {
      handshakeDone: this.#info !== undefined,
      sinceHandshakeMs: this.#info ? performance.now() - this.#handshakeEndMs : 0,
      anyData: this.#anyData,
      midRecord: this.#boundary.isInside,
      resumed: this.#info?.resumed ?? false,
      unansweredBytes: this.bytesReceived === 0 ? this.bytesSent : 0,
    };
  }
}
