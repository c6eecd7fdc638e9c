import { Emission, FAILED } from '../engine/abi.js';
import type { CallResult } from '../engine/instance.js';
import { WireReader } from '../engine/wire.js';
import { MtlsError } from '../errors.js';
import type { TunnelStream } from '../tunnel/tunnel.js';
import { type ClientCertificateState, readFailure, tlsError, truncationError } from './failure.js';
import { HandshakeRespondent, readHandshake } from './handshake.js';
import type { TlsEngine } from './tls-engine.js';
import type { TlsConnectOptions, TlsInfo } from './types.js';

/** What one call encrypts at most, so that a large write does not hold several copies of itself. */
const WRITE_SLICE_BYTES = 64 * 1024;

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

  #engine: TlsEngine;
  #handle: number;
  #respondent: HandshakeRespondent;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #info: TlsInfo | undefined;
  #plaintext: Uint8Array[] = [];
  #anyData = false;
  #peerClosed = false;
  #writeClosed = false;
  #failure: unknown;
  #absence: () => string | undefined;
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
      if (connection.#failure === undefined) connection.#abandon(error);
      throw connection.#failure;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  private constructor(engine: TlsEngine, stream: TunnelStream, options: TlsConnectOptions) {
    this.#engine = engine;
    this.#respondent = new HandshakeRespondent(options);
    this.#absence = options.absence ?? (() => undefined);
    this.#reader = stream.readable.getReader();
    this.#writer = stream.writable.getWriter();
    // Failures of the stream show where it is read and written; these promises only repeat them.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
    this.#handle = engine.open(options);
    this.readable = new ReadableStream(
      { pull: controller => this.#pull(controller), cancel: reason => this.#abandon(reason) },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream({
      write: chunk => this.#write(chunk),
      close: () => this.#close(),
      abort: reason => this.#abandon(reason),
    });
  }

  /** What the handshake agreed on. */
  get info(): TlsInfo {
    if (!this.#info) throw new MtlsError('ERR_TLS_PROTOCOL', 'The handshake is not complete.');
    return this.#info;
  }

  async #handshake(): Promise<void> {
    let input: Uint8Array = nothing;
    for (;;) {
      const result = await this.#engine.negotiate(this.#usableHandle(), input, this.#respondent);
      if (result) this.#take(result);
      if (this.#info) return;
      const { done, value } = await this.#readCiphertext();
      if (done) throw this.#truncation();
      input = result ? value : concatenated(input, value);
    }
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#plaintext.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#peerClosed) return this.#endReading(controller);
      const { done, value } = await this.#readCiphertext();
      if (done) throw this.#failWith(this.#truncation());
      this.#takeReceived(this.#engine.receive(this.#usableHandle(), value));
    }
    for (const chunk of this.#plaintext.splice(0)) controller.enqueue(chunk);
  }

  async #readCiphertext(): Promise<ReadableStreamReadResult<Uint8Array>> {
    try {
      const result = await this.#reader.read();
      if (result.value) this.bytesReceived += result.value.length;
      return result;
    } catch (error) {
      const reset = error instanceof MtlsError && error.code === 'ERR_TUNNEL_RESET';
      throw this.#failWith(reset ? this.#truncation(error) : error);
    }
  }

  /** Data that came before a failure is delivered first; the next pull reports the failure. */
  #takeReceived(result: CallResult): void {
    try {
      this.#take(result);
    } catch (error) {
      if (this.#plaintext.length === 0) throw error;
    }
  }

  #take({ status, emitted }: CallResult): void {
    let failure: MtlsError | undefined;
    for (const { kind, bytes } of emitted) {
      if (kind === Emission.ciphertext) this.#send(bytes).catch(() => {});
      else if (kind === Emission.plaintext) this.#receivePlaintext(bytes);
      else if (kind === Emission.handshake) this.#info = readHandshake(bytes, this.#respondent);
      else if (kind === Emission.peerClosed) this.#peerClosed = true;
      else if (kind === Emission.failure)
        failure = tlsError(readFailure(new WireReader(bytes)), this.#clientState());
    }
    if (failure) throw this.#failWith(failure);
    if (status <= FAILED) throw this.#failWith(closedError());
  }

  #receivePlaintext(bytes: Uint8Array): void {
    this.#anyData = true;
    this.#plaintext.push(bytes);
  }

  /** Must be called in the order in which the engine sealed the records. */
  #send(ciphertext: Uint8Array): Promise<void> {
    this.bytesSent += ciphertext.length;
    return this.#writer.write(ciphertext);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let start = 0; start < chunk.length; start += WRITE_SLICE_BYTES) {
      await this.#writer.ready;
      const result = this.#engine.send(
        this.#usableHandle(),
        chunk.subarray(start, start + WRITE_SLICE_BYTES),
      );
      const ciphertext = result.emitted.find(it => it.kind === Emission.ciphertext);
      this.#take({ ...result, emitted: result.emitted.filter(it => it !== ciphertext) });
      if (ciphertext) await this.#send(ciphertext.bytes);
    }
  }

  /**
   * Says close_notify, but leaves the stream open: some servers (Node's) take its end for the end of everything, and
   * hang up without a close_notify of their own.
   */
  async #close(): Promise<void> {
    if (!this.#freed) this.#take(this.#engine.sendClose(this.#handle));
    await this.#writer.ready;
    this.#writeClosed = true;
    if (this.#peerClosed) await this.#finish();
  }

  async #endReading(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    controller.close();
    if (this.#writeClosed) await this.#finish();
  }

  /** Both sides have said all. */
  async #finish(): Promise<void> {
    this.#free();
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel().catch(() => {});
  }

  #usableHandle(): number {
    if (this.#freed) throw this.#failure ?? closedError();
    return this.#handle;
  }

  #clientState(): ClientCertificateState {
    return {
      requested: this.#respondent.requested,
      sent: (this.#respondent.credential?.chain.length ?? 0) > 0,
      absence: this.#absence(),
    };
  }

  #truncation(cause?: unknown): MtlsError {
    const seen = {
      handshakeDone: this.#info !== undefined,
      anyData: this.#anyData,
      resumed: this.#info?.resumed ?? false,
    };
    return truncationError(seen, this.#clientState(), cause);
  }

  /** Remembers the first failure, after which nothing more can be sent or received. An alert may still be on its way out. */
  #failWith(error: unknown): unknown {
    if (this.#failure === undefined) {
      this.#failure = error;
      const giveUp = () => this.#reader.cancel().catch(() => {});
      this.#writer.close().then(giveUp, giveUp);
      this.#free();
    }
    return this.#failure;
  }

  #abandon(reason: unknown): void {
    this.#failure ??= reason ?? closedError();
    this.#reader.cancel(reason).catch(() => {});
    this.#writer.abort(reason).catch(() => {});
    this.#free();
  }

  #free(): void {
    if (this.#freed) return;
    this.#freed = true;
    try {
      this.#engine.free(this.#handle);
    } catch {
      // A failed engine has nothing left to free.
    }
  }
}

function concatenated(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}

function closedError(): MtlsError {
  return new MtlsError('ERR_CLIENT_CLOSED', 'The connection has been closed.');
}
