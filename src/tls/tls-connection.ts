import { Turns } from '../engine/turns.js';
import { MtlsError } from '../errors.js';
import { isA } from '../platform.js';
import type { TunnelStream } from '../tunnel/tunnel.js';
import { concatenated } from '../util/bytes.js';
import { alertFor, type Offer, SentAlert } from './alerts.js';
import { ClearHandshake } from './clear-handshake.js';
import {
  type ClientCertificateState,
  explainedTimeout,
  type FailedConnection,
  isCertificateRefusal,
  isReset,
  refusalError,
  type SeenConnection,
  tlsError,
  truncationError,
} from './failure.js';
import { HandshakeRespondent, readHandshake } from './handshake.js';
import { Negotiation } from './negotiation.js';
import { RecordBoundary } from './record-boundary.js';
import { type Received, RecordLayer } from './record-layer.js';
import type { TlsEngine } from './tls-engine.js';
import type { TlsConnectOptions, TlsInfo } from './types.js';

/** What is encrypted at once, so that a large write does not hold several copies of itself. */
const WRITE_SLICE_BYTES = 64 * 1024;

/** How long a server may take to hang up on a connection that has failed. */
const LAST_WORDS_MS = 2_000;

const nothing = new Uint8Array(0);

/**
 * A TLS connection over a byte stream.
 *
 * `readable` ends when the server has sent close_notify, and errors with `ERR_TLS_TRUNCATED` when the stream ended
 * without it. Closing `writable` sends close_notify; the stream is closed when both sides have said it. Cancelling or
 * aborting either side gives the whole connection up.
 */
export class TlsConnection {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Bytes of ciphertext so far. */
  bytesSent = 0;
  bytesReceived = 0;

  #negotiation: Negotiation;
  /** Undefined during the handshake. */
  #records: RecordLayer | undefined;
  #respondent: HandshakeRespondent;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #info: TlsInfo | undefined;
  #handshakeEndMs: number | undefined;
  #plaintext: Uint8Array[] = [];
  #anyData = false;
  #boundary = new RecordBoundary();
  #turns = new Turns();
  #clear = new ClearHandshake();
  #peerClosed = false;
  /** Nothing more is written: it has been closed, or has failed. */
  #writeOver = false;
  #failure: unknown;
  /** Of a write that waits for room. */
  #endWaiting: (reason: unknown) => void = () => {};
  #offered: Offer;
  #absence: () => string | undefined;
  #onRefused: () => void;
  #expectsData: boolean;
  #freed = false;

  /**
   * Performs the handshake.
   *
   * @throws MtlsError ERR_TLS_…, ERR_TUNNEL_…; or what `authenticate`, `evaluateServer` or the signal threw
   */
  static async connect(
    engine: TlsEngine,
    stream: TunnelStream,
    options: TlsConnectOptions,
  ): Promise<TlsConnection> {
    const connection = new TlsConnection(engine, stream, options);
    const { signal } = options;
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal?.reason);
    });
    signal?.addEventListener('abort', abort, { once: true });
    try {
      signal?.throwIfAborted();
      // Raced, because an answer (a person's, say) may never come.
      await Promise.race([connection.#handshake(), aborted]);
      return connection;
    } catch (error) {
      connection.#endHandshake(error, signal?.aborted ? SentAlert.userCanceled : alertFor(error));
      throw connection.#failure;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  private constructor(engine: TlsEngine, stream: TunnelStream, options: TlsConnectOptions) {
    this.#respondent = new HandshakeRespondent(options, this.#clear);
    this.#offered = { versions: engine.versions, alpn: options.alpn ?? [] };
    this.#absence = options.absence ?? (() => undefined);
    this.#onRefused = options.onRefused ?? (() => {});
    this.#expectsData = options.expectsData ?? false;
    this.#reader = stream.readable.getReader();
    this.#writer = stream.writable.getWriter();
    // Failures of the stream show where it is read and written; these promises only repeat them.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
    this.#negotiation = new Negotiation(engine, engine.open(options), {
      respondent: this.#respondent,
      transmit: this.#transmit,
    });
    this.readable = new ReadableStream(
      { pull: controller => this.#pull(controller), cancel: reason => this.#abandon(reason) },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream({
      start: ({ signal }) => {
        // The sink's own `abort` would come only after a write, which may be waiting for a server that reads no more.
        signal.addEventListener('abort', () => this.#abandon(signal.reason));
      },
      write: chunk => this.#write(chunk),
      close: () => this.#close(),
    });
  }

  /** What the handshake agreed on. */
  get info(): TlsInfo {
    if (!this.#info) throw new MtlsError('ERR_TLS_PROTOCOL', 'The handshake is not complete.');
    return this.#info;
  }

  /** Gives the connection up at once, also while its streams are locked and a write waits for the server to read. */
  abort(reason: unknown): void {
    this.#abandon(reason);
  }

  async #handshake(): Promise<void> {
    for (let input: Uint8Array = nothing; ; input = await this.#readStep()) {
      const step = await this.#negotiation.advance(input);
      if (this.#freed) throw this.#failure;
      if (step.failure) throw this.#failWith(tlsError(step.failure, this.#failed()));
      if (step.handshake) return this.#complete(step.handshake);
    }
  }

  /** Enough ciphertext for something to come of it: a record's header at least. A stream that is full already must not keep timers waiting. */
  async #readStep(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (const { steps } = this.#boundary; this.#boundary.steps === steps; await this.#turns.next()) {
      const { done, value } = await this.#readCiphertext();
      if (this.#freed) throw this.#failure;
      if (done) throw this.#failWith(this.#truncation());
      pieces.push(value);
    }
    return concatenated(pieces);
  }

  /** Data that came with the end of the handshake is delivered, although the connection may have failed behind it. */
  async #complete(handshake: Uint8Array): Promise<void> {
    this.#info = readHandshake(handshake, this.#respondent);
    this.#handshakeEndMs = performance.now();
    const external = this.#negotiation.handOver();
    this.#records = await RecordLayer.create(external, {
      version: this.#info.version,
      transmit: this.#transmit,
      warnings: this.#clear.warnings,
    });
    if (this.#freed) {
      // Given up meanwhile: what there was to free has been replaced.
      this.#records.free();
      throw this.#failure;
    }
    await this.#receive(external.incoming);
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#plaintext.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#peerClosed) return this.#endReading(controller);
      const { done, value } = await this.#readCiphertext();
      if (done) throw this.#failWith(this.#truncation());
      await this.#receive(value);
    }
    for (const chunk of this.#plaintext.splice(0)) controller.enqueue(chunk);
  }

  async #receive(ciphertext: Uint8Array): Promise<void> {
    try {
      this.#take(await this.#usable().receive(ciphertext));
    } catch (error) {
      this.#failWith(error);
      // Data that came before a failure is delivered first; the next pull reports the failure.
      if (this.#plaintext.length === 0) throw this.#failure;
    }
  }

  async #readCiphertext(): Promise<ReadableStreamReadResult<Uint8Array>> {
    try {
      const result = await this.#reader.read();
      if (result.value) {
        this.bytesReceived += result.value.length;
        const onContent = (type: number, piece: Uint8Array) => this.#clear.take(type, piece);
        this.#boundary.follow(result.value, this.#info ? undefined : onContent);
      }
      return result;
    } catch (error) {
      throw this.#failWith(this.#brokenBy(error));
    }
  }

  #take({ plaintext, closed, failure, broken }: Received): void {
    if (plaintext.length > 0) this.#anyData = true;
    this.#plaintext.push(...plaintext);
    this.#peerClosed ||= closed;
    if (broken) throw broken.by;
    if (failure) throw this.#failWith(tlsError(failure, this.#failed()));
  }

  /** How it ends shows at the next write, and where the stream is read. */
  #transmit = (ciphertext: Uint8Array): void => {
    if (this.#freed) throw this.#failure ?? closedError();
    this.bytesSent += ciphertext.length;
    this.#writer.write(ciphertext).catch(() => {});
  };

  async #write(chunk: Uint8Array): Promise<void> {
    if (!isA(chunk, Uint8Array)) {
      const error = new TypeError('a connection takes chunks of Uint8Array');
      this.#abandon(error);
      throw error;
    }
    for (let start = 0; start < chunk.length; start += WRITE_SLICE_BYTES) {
      await this.#untilWritable();
      await this.#send(chunk.subarray(start, start + WRITE_SLICE_BYTES));
    }
  }

  async #send(slice: Uint8Array): Promise<void> {
    try {
      await this.#usable().send(slice);
    } catch (error) {
      await this.#sayClose().catch(() => {});
      await this.#endWriting();
      throw error;
    }
  }

  async #close(): Promise<void> {
    await this.#sayClose();
    await this.#untilWritable();
    await this.#endWriting();
  }

  /**
   * Says close_notify, but leaves the stream open: some servers (Node's) take its end for the end of everything, and
   * hang up without a close_notify of their own.
   */
  async #sayClose(): Promise<void> {
    if (this.#freed) return;
    try {
      await this.#usable().sendClose();
    } catch (error) {
      this.#writer.close().catch(() => {});
      throw error;
    }
  }

  async #untilWritable(): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#endWaiting = reject;
        this.#writer.ready.then(() => resolve(), reject);
      });
    } catch (error) {
      await this.#endWriting();
      throw this.#brokenBy(error);
    }
  }

  /** By `close`, or by a failure: that is one of writing alone. What was received can still be read, and what comes. */
  async #endWriting(): Promise<void> {
    this.#writeOver = true;
    if (this.#peerClosed) await this.#finish();
  }

  async #endReading(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const refusal = this.#expectsData ? refusalError(this.#seen(), this.#clientState()) : undefined;
    if (refusal) throw this.#failWith(refusal);
    controller.close();
    if (this.#writeOver) await this.#finish();
  }

  /** Both sides have said all. */
  async #finish(): Promise<void> {
    this.#free();
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel().catch(() => {});
  }

  #usable(): RecordLayer {
    if (this.#freed || !this.#records) throw this.#failure ?? closedError();
    return this.#records;
  }

  #clientState(): ClientCertificateState {
    return {
      requested: this.#respondent.requested,
      sent: (this.#respondent.credential?.chain.length ?? 0) > 0,
      absence: this.#absence(),
    };
  }

  #failed(): FailedConnection {
    return { client: this.#clientState(), seen: this.#seen(), offered: this.#offered };
  }

  #brokenBy(error: unknown): unknown {
    return isReset(error) ? this.#truncation(error) : error;
  }

  #truncation(cause?: unknown): MtlsError {
    return truncationError(this.#seen(), this.#clientState(), cause);
  }

  #seen(): SeenConnection {
    return {
      handshakeDone: this.#info !== undefined,
      sinceHandshakeMs: this.#handshakeEndMs === undefined ? 0 : performance.now() - this.#handshakeEndMs,
      anyData: this.#anyData,
      midRecord: this.#boundary.isInside,
      resumed: this.#info?.resumed ?? false,
      unansweredBytes: this.bytesReceived === 0 ? this.bytesSent : 0,
    };
  }

  /** Remembers the first failure, after which nothing more can be sent or received. */
  #failWith(error: unknown): unknown {
    if (this.#failure === undefined) {
      this.#failure = error;
      if (isCertificateRefusal(error)) this.#onRefused();
      this.#free();
      this.#endWaiting(error);
      void this.#part();
    }
    return this.#failure;
  }

  /** Ends a handshake for a reason of this side, and tells the server by an alert. */
  #endHandshake(reason: unknown, alert: number): void {
    if (this.#failure !== undefined) return;
    const explained = explainedTimeout(reason, this.#seen());
    try {
      if (this.bytesSent > 0 && !this.#info) this.#negotiation.abandon(alert);
    } catch {
      // A failed engine makes no alert.
    }
    this.#failWith(explained ?? closedError());
  }

  /** An alert may be on its way, and what is given up may lose it: so that waits until the server has hung up, for a while. */
  async #part(): Promise<void> {
    const timer = setTimeout(() => this.#giveUp(), LAST_WORDS_MS);
    try {
      await this.#writer.close();
      while (!(await this.#reader.read()).done) await this.#turns.next();
    } catch {
      // It has ended as well.
    }
    clearTimeout(timer);
    this.#giveUp();
  }

  #giveUp(reason?: unknown): void {
    this.#reader.cancel(reason).catch(() => {});
    this.#writer.abort(reason).catch(() => {});
  }

  /** A connection that has failed parts by itself. */
  #abandon(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason ?? closedError();
    this.#giveUp(reason);
    this.#free();
  }

  #free(): void {
    if (this.#freed) return;
    this.#freed = true;
    try {
      (this.#records ?? this.#negotiation).free();
    } catch {
      // A failed engine has nothing left to free.
    }
  }
}

function closedError(): MtlsError {
  return new MtlsError('ERR_CLIENT_CLOSED', 'The connection has been closed.');
}
