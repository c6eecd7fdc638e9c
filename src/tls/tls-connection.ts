import { MtlsError } from '../errors.js';
import { isA } from '../platform.js';
import type { TunnelStream } from '../tunnel/tunnel.js';
import { concatenated } from '../util/bytes.js';
import { freeMemory } from '../util/free-memory.js';
import { orAborted } from '../util/promises.js';
import { Turns } from '../util/turns.js';
import { type EngineOutput, type EngineTarget, MAX_CONTENT_BYTES } from './ciphers/record-cipher.js';
import { ConnectionHistory } from './connection-history.js';
import { alertFor, SentAlert } from './errors/alerts.js';
import { isCertificateRefusal } from './errors/failure.js';
import type { HandshakeLayer } from './handshake/handshake-layer.js';
import { readInfo } from './handshake/tls-info.js';
import type { PlaintextChannel, PlaintextSink } from './plaintext-channel.js';
import { type Received, RecordLayer } from './records/record-layer.js';
import type { CutRecords } from './records/record-reader.js';
import type { RecordSender } from './records/record-sender.js';
import type { TlsEngine } from './tls-engine.js';
import { Transport } from './transport.js';
import type { TlsConnectOptions, TlsInfo } from './types.js';

/** What is encrypted at once, so that a large write does not hold several copies of itself: records that fit into a message of the tunnel. */
const WRITE_SLICE_BYTES = 15 * MAX_CONTENT_BYTES;

/** Chunks that are read while records are opened beside. */
const MAX_AHEAD = 2;

const nothing = new Uint8Array(0);

/** A chunk of ciphertext. */
interface Chunk {
  bytes: Uint8Array;
  cut: CutRecords;
}

/** `chunk`: undefined at the end of the stream. */
type Read = { chunk: Chunk | undefined } | { error: unknown };

/**
 * A TLS connection over a byte stream.
 *
 * `readable` ends when the server has sent close_notify, and errors with `ERR_TLS_TRUNCATED` when the stream ended
 * without it. Closing `writable` sends close_notify; the stream is closed when both sides have said it. Cancelling or
 * aborting either side gives the whole connection up.
 */
export class TlsConnection implements PlaintextChannel {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;

  #transport: Transport;
  #history: ConnectionHistory;
  #handshakeLayer: HandshakeLayer;
  /** Undefined during the handshake. */
  #records: RecordLayer | undefined;
  #plaintext: Uint8Array[] = [];
  #ahead: Promise<Read>[] = [];
  #turns = new Turns();
  #peerClosed = false;
  /** Nothing more is written: it has been closed, or has failed. */
  #writeOver = false;
  #failure: unknown;
  #onRefused: () => void;
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
    try {
      signal?.throwIfAborted();
      // An answer (a person's, say) may never come.
      await orAborted(connection.#handshake(), signal);
      return connection;
    } catch (error) {
      connection.#endHandshake(error, signal?.aborted ? SentAlert.userCanceled : alertFor(error));
      throw connection.#failure;
    }
  }

  private constructor(engine: TlsEngine, stream: TunnelStream, options: TlsConnectOptions) {
    this.#transport = new Transport(stream);
    this.#history = new ConnectionHistory(options, engine);
    this.#onRefused = options.onRefused ?? (() => {});
    const { respondent } = this.#history;
    this.#handshakeLayer = engine.open(options, { respondent, transmit: this.#transmit });
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
    const { info } = this.#history;
    if (!info) throw new MtlsError('ERR_TLS_PROTOCOL', 'The handshake is not complete.');
    return info;
  }

  /** Bytes of ciphertext so far. */
  get bytesSent(): number {
    return this.#history.bytesSent;
  }

  get bytesReceived(): number {
    return this.#history.bytesReceived;
  }

  /** Gives the connection up at once, also while its streams are locked and a write waits for the server to read. */
  abort(reason: unknown): void {
    this.#abandon(reason);
  }

  async #handshake(): Promise<void> {
    for (let input: Uint8Array = nothing; ; input = await this.#readStep()) {
      const { agreed, failure } = await this.#handshakeLayer.receive(input);
      if (this.#freed) throw this.#failure;
      if (failure) throw this.#failWith(this.#history.errorFor(failure));
      if (agreed) return this.#complete(agreed);
    }
  }

  /** Enough ciphertext for something to come of it: a record's header at least. A stream that is full already must not keep timers waiting. */
  async #readStep(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (const { steps } = this.#history; this.#history.steps === steps; await this.#turns.next()) {
      const { done, value } = await this.#readCiphertext();
      if (this.#freed) throw this.#failure;
      if (done) throw this.#failWith(this.#history.truncation());
      pieces.push(value);
    }
    return concatenated(pieces);
  }

  /** Data that came with the end of the handshake is delivered, although the connection may have failed behind it. */
  async #complete(agreed: Uint8Array): Promise<void> {
    const info = readInfo(agreed, this.#history.respondent);
    this.#history.noteHandshake(info);
    const external = this.#handshakeLayer.handOver();
    this.#records = await RecordLayer.create(external, {
      version: info.version,
      transmit: this.#transmit,
      warnings: this.#history.warnings,
    });
    if (this.#freed) {
      // Given up meanwhile: what there was to free has been replaced.
      this.#records.free();
      throw this.#failure;
    }
    await this.#receive(this.#records.begin(external.incoming));
  }

  /** In place of `readable`. */
  async receive(sink: PlaintextSink): Promise<boolean> {
    let passed = false;
    while (this.#plaintext.length === 0 && !passed) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#peerClosed) {
        this.#endReading();
        return false;
      }
      const { bytes, cut } = this.#chunkOf(await (this.#ahead.shift() ?? this.#readChunk()));
      const release = () => this.#transport.free(bytes);
      const received = this.#receive(cut, sink.target(), release);
      if (received instanceof Promise) {
        // Others are read meanwhile, where that pays.
        while (this.#opensAside && this.#ahead.length < MAX_AHEAD) this.#ahead.push(this.#readChunk());
        passed = await received;
      } else passed = received;
      release();
    }
    const plaintext = this.#plaintext.splice(0);
    if (plaintext.length > 0) sink.data(plaintext);
    if (sink.hasCopied?.()) freeMemory(plaintext);
    return true;
  }

  hasRoom(): boolean {
    return !this.#freed && this.#transport.hasRoom();
  }

  /** In place of `writable`, as are `send` and `close`. */
  untilWritable(): Promise<void> {
    return this.#until(this.#transport.untilWritable());
  }

  send(output: EngineOutput): Promise<void> {
    return this.#send(sender => sender.sendOutput(output));
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const data = (plaintext: readonly Uint8Array[]) => {
      for (const chunk of plaintext) controller.enqueue(chunk);
    };
    if (!(await this.receive({ target: () => undefined, data }))) controller.close();
  }

  #chunkOf(read: Read): Chunk {
    if ('error' in read) throw this.#failWith(this.#history.errorOfStream(read.error));
    if (!read.chunk) throw this.#failWith(this.#history.truncation());
    return read.chunk;
  }

  get #opensAside(): boolean {
    return !this.#freed && this.#records?.opensAside === true;
  }

  /** How the stream ends is told in its turn, behind what came before. */
  async #readChunk(): Promise<Read> {
    try {
      const { value: bytes } = await this.#transport.read();
      if (!bytes) return { chunk: undefined };
      this.#history.noteReceived(bytes);
      return { chunk: { bytes, cut: this.#usable().begin(bytes) } };
    } catch (error) {
      return { error };
    }
  }

  /** Returns whether plaintext has passed to HTTP. */
  #receive(cut: CutRecords, target?: EngineTarget, release?: () => void): Promise<boolean> | boolean {
    return this.#orFail(() => {
      const received = this.#usable().receive(cut, target, release);
      if (!(received instanceof Promise)) return this.#take(received);
      return received.then(it => this.#orFail(() => this.#take(it)));
    });
  }

  /** Data that came before a failure is delivered first; the next pull reports the failure. */
  #orFail<T>(take: () => T): T | false {
    try {
      return take();
    } catch (error) {
      this.#failWith(error);
      if (this.#plaintext.length === 0) throw this.#failure;
      return false;
    }
  }

  async #readCiphertext(): Promise<ReadableStreamReadResult<Uint8Array>> {
    try {
      const result = await this.#transport.read();
      if (result.value) this.#history.noteReceived(result.value);
      return result;
    } catch (error) {
      throw this.#failWith(this.#history.errorOfStream(error));
    }
  }

  #take({ plaintext, passedBytes, closed, failure, broken }: Received): boolean {
    if (plaintext.length + passedBytes > 0) this.#history.noteData();
    this.#plaintext.push(...plaintext);
    this.#peerClosed ||= closed;
    if (broken) throw broken.by;
    if (failure) throw this.#failWith(this.#history.errorFor(failure));
    return passedBytes > 0;
  }

  /** How it ends shows at the next write, and where the stream is read. */
  #transmit = (ciphertext: Uint8Array, roomBytes?: number): void => {
    if (this.#freed) throw this.#failure ?? closedError();
    this.#history.noteSent(ciphertext);
    this.#transport.write(ciphertext, roomBytes);
  };

  async #write(chunk: Uint8Array): Promise<void> {
    if (!isA(chunk, Uint8Array)) {
      const error = new TypeError('"chunk" must be a Uint8Array');
      this.#abandon(error);
      throw error;
    }
    for (let start = 0; start < chunk.length; start += WRITE_SLICE_BYTES) {
      await this.untilWritable();
      const slice = chunk.subarray(start, start + WRITE_SLICE_BYTES);
      await this.#send(sender => sender.send(slice));
    }
  }

  async #send(send: (sender: RecordSender) => Promise<void> | void): Promise<void> {
    try {
      await send(this.#usable().sender);
    } catch (error) {
      await this.#sayClose().catch(() => {});
      await this.#endWriting();
      throw error;
    }
  }

  async #close(): Promise<void> {
    await this.#sayClose();
    await this.#until(this.#transport.untilSent());
    await this.#endWriting();
  }

  /**
   * Says close_notify, but leaves the stream open: some servers (Node's) take its end for the end of everything, and
   * hang up without a close_notify of their own.
   */
  async #sayClose(): Promise<void> {
    if (this.#freed) return;
    try {
      await this.#usable().sender.sendClose();
    } catch (error) {
      this.#transport.closeWriting();
      throw error;
    }
  }

  async #until(room: Promise<void>): Promise<void> {
    try {
      await room;
    } catch (error) {
      await this.#endWriting();
      throw this.#history.errorOfStream(error);
    }
  }

  /** By `close`, or by a failure: that is one of writing alone. What was received can still be read, and what comes. */
  async #endWriting(): Promise<void> {
    this.#writeOver = true;
    if (this.#peerClosed) await this.#finish();
  }

  #endReading(): void {
    const refusal = this.#history.refusal();
    if (refusal) throw this.#failWith(refusal);
    // Its reader need not wait for that.
    if (this.#writeOver) void this.#finish();
  }

  async #finish(): Promise<void> {
    this.#free();
    await this.#transport.finish();
  }

  #usable(): RecordLayer {
    if (this.#freed || !this.#records) throw this.#failure ?? closedError();
    return this.#records;
  }

  /** Remembers the first failure, after which nothing more can be sent or received. */
  #failWith(error: unknown): unknown {
    if (this.#failure === undefined) {
      this.#failure = error;
      if (isCertificateRefusal(error)) this.#onRefused();
      this.#free();
      this.#transport.endWaiting(error);
      void this.#transport.part();
    }
    return this.#failure;
  }

  /** Ends a handshake for a reason of this side, and tells the server by an alert. */
  #endHandshake(reason: unknown, alert: number): void {
    if (this.#failure !== undefined) return;
    const explained = this.#history.explained(reason);
    try {
      if (this.bytesSent > 0 && !this.#history.info) this.#handshakeLayer.abandon(alert);
    } catch {
      // A failed engine makes no alert.
    }
    this.#failWith(explained ?? closedError());
  }

  /** A connection that has failed parts by itself. */
  #abandon(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason ?? closedError();
    this.#transport.giveUp(reason);
    this.#free();
  }

  #free(): void {
    if (this.#freed) return;
    this.#freed = true;
    try {
      (this.#records ?? this.#handshakeLayer).free();
    } catch {
      // A failed engine has nothing left to free.
    }
  }
}

function closedError(): MtlsError {
  return new MtlsError('ERR_CLIENT_CLOSED', 'The connection has been closed.');
}
