import { HttpFailureKind, HttpFault } from '../../engine/abi.js';
import { MtlsError } from '../../errors.js';
import type { EngineTarget } from '../../tls/ciphers/record-cipher.js';
import type { PlaintextChannel, PlaintextSink } from '../../tls/plaintext-channel.js';
import { Wakeup } from '../../util/promises.js';
import type { TransportInfo } from '../connection-info.js';
import { HeadReader } from '../head/head-reader.js';
import type { ConnectionListener, ConnectionState, HttpEngine, ResponseHead } from '../http-engine.js';
import type { Admission, PlaintextStream } from '../plaintext-stream.js';
import { Exchange, ExchangeFailure, type ExchangeHost, type OutgoingRequest } from './exchange.js';
import type { Heartbeat } from './heartbeat.js';
import { idleLimitMs } from './idle-limit.js';
import { StreamChannel } from './stream-channel.js';

/** Above this much unread input, the TLS connection is not read. */
const UNREAD_LIMIT_BYTES = 128 * 1024;
/** How long the server may still answer after it stopped taking what we send, or take our last words. */
const LAST_WORDS_MS = 5_000;

/** Requests at once on an h2 connection, of what the server allows. The engine's window has room for so many unread bodies. */
const MAX_STREAMS = 64;

/** An HTTP connection over a plaintext stream. */
export class HttpConnection implements ConnectionListener, ExchangeHost {
  readonly protocol: 'h2' | 'http/1.1';
  readonly transport: TransportInfo;
  readonly admission: Admission | undefined;
  /** What the connection failed with, if it did. */
  error: unknown;
  /** Whether it has ever given a response. */
  proven = false;
  /** HTTP/1.1: how long it may be kept without a request, if the server says so. */
  idleLimitMs: number | undefined;

  #engine: HttpEngine;
  #handle = 0;
  #channel: PlaintextChannel;
  #exchanges = new Set<Exchange>();
  readonly #sink: PlaintextSink = {
    target: () => this.#target(),
    data: plaintext => this.#receive(plaintext),
    // A head that is held back consists of views.
    hasCopied: () => !this.#over && (this.#headReader?.done ?? true),
  };
  #state: ConnectionState = {
    unread: 0,
    output: 0,
    outputEnded: false,
    streams: 1,
    ready: true,
    closed: false,
    done: false,
  };
  #onChange = () => {};
  #reading = new Wakeup();
  #writing = new Wakeup();
  #over = false;
  /** It is given up as soon as what goes on in the engine is told. */
  #spent = false;
  #inputEnded = false;
  #outputClosed = false;
  #heartbeat: Heartbeat;
  /** Of the response to the last request over HTTP/1.1. */
  #headReader: HeadReader | undefined;
  #lastWords: ReturnType<typeof setTimeout> | undefined;

  /** `onChange` is called whenever `idle`, `available` or `closed` may be another. */
  constructor(
    engine: HttpEngine,
    stream: PlaintextStream,
    options: { heartbeat: Heartbeat; onChange: () => void },
  ) {
    this.#engine = engine;
    this.#heartbeat = options.heartbeat;
    this.protocol = stream.info.alpn === 'h2' ? 'h2' : 'http/1.1';
    this.transport = stream.info;
    this.admission = stream.admission;
    // First: where it throws, the stream is still the caller's.
    this.#handle = engine.openConnection(this.protocol, this, this.#heartbeat.ping);
    this.#channel = stream.channel ?? new StreamChannel(stream);
    this.#readAll().catch(error => this.#fail(error));
    this.#writeAll().catch(error => this.#failSlowly(error));
    this.#onChange = options.onChange;
  }

  /** Whether a request may be sent now. */
  get available(): boolean {
    if (this.closed || !this.#state.ready) return false;
    const most = this.protocol === 'h2' ? Math.min(MAX_STREAMS, this.#state.streams) : 1;
    return this.#exchanges.size < most;
  }

  /** Whether nothing is in progress. */
  get idle(): boolean {
    return this.#exchanges.size === 0;
  }

  /** Whether nothing is sent or received any more. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether no request is taken any more. */
  get closed(): boolean {
    return this.#over || this.#spent || this.#state.closed;
  }

  send(request: OutgoingRequest, signal?: AbortSignal): Exchange {
    const exchange = new Exchange(this.#engine, this, { body: request.body, signal });
    this.#exchanges.add(exchange);
    this.admission?.noteUse();
    if (this.protocol === 'h2') this.#heartbeat.hold(this);
    this.#headReader = this.protocol === 'h2' ? undefined : new HeadReader();
    exchange.head.then(
      head => {
        this.proven = true;
        if (this.protocol === 'http/1.1') this.idleLimitMs = idleLimitMs(head);
      },
      error => {
        // The engine itself notices a GOAWAY only with the next request, as long as others are in progress.
        if (error instanceof ExchangeFailure && error.notice) this.close();
      },
    );
    exchange.begin(this.#handle, request);
    return exchange;
  }

  /** Lets the exchanges in progress end, and then closes. */
  close(): void {
    if (!this.#over) this.#engine.closeConnection(this.#handle);
  }

  /** Takes no further request, because the server refuses the client, and has no session resumed. */
  noteRefusal(): void {
    this.admission?.noteRefusal();
    this.close();
  }

  /** Closes at once; what is in progress fails with the error. */
  destroy(error: unknown): void {
    if (this.#over) return;
    this.error ??= error;
    this.#end();
    this.#engine.freeConnection(this.#handle);
    this.#abort(error);
  }

  onState(state: ConnectionState): void {
    this.#state = state;
    this.#wake();
    if (state.done && this.#outputClosed) this.#complete();
    this.#onChange();
  }

  onEngineFailed(error: unknown): void {
    this.error ??= error;
    this.#failExchanges(HttpFailureKind.transport);
    this.#end();
    this.#abort(error);
  }

  get headFault(): MtlsError | undefined {
    return this.#headReader?.fault;
  }

  forPage(head: ResponseHead): ResponseHead {
    return this.#headReader?.shown(head) ?? head;
  }

  onExchangeOver(exchange: Exchange, clean: boolean): void {
    this.#exchanges.delete(exchange);
    if (this.idle) this.#heartbeat.release(this);
    // What is left of an h1 response would have to be read before the next one.
    if (!clean && this.protocol === 'http/1.1' && !this.#over) {
      this.#spent = true;
      queueMicrotask(() => this.destroy(this.error ?? abandoned()));
    }
    if (this.#inputEnded || this.error !== undefined) queueMicrotask(() => this.#destroyIfUseless());
    this.#onChange();
  }

  async #readAll(): Promise<void> {
    while (!this.#over) {
      if (this.#state.done) break;
      if (this.#state.unread > UNREAD_LIMIT_BYTES) {
        await this.#reading.wait();
        continue;
      }
      const goesOn = await this.#channel.receive(this.#sink);
      if (this.#over) return;
      if (goesOn) continue;
      this.#inputEnded = true;
      this.#receiveRest();
      this.#engine.receiveEnd(this.#handle);
      this.#destroyIfUseless();
      return;
    }
  }

  /** Heads of HTTP/1.1 are read before the engine gets them. */
  #target(): EngineTarget | undefined {
    if (this.#over || (this.#headReader && !this.#headReader.done)) return undefined;
    return { engine: this.#engine.records, connection: this.#handle };
  }

  #receive(plaintext: readonly Uint8Array[]): void {
    if (this.#over) return;
    const heads = this.#headReader;
    let readable = plaintext;
    try {
      if (heads) readable = plaintext.map(bytes => heads.read(bytes));
    } catch (error) {
      this.#failResponse(error);
      return;
    }
    if (heads?.mended && !this.closed) this.close();
    this.#engine.receive(this.#handle, readable);
  }

  /** What has come of a head that will not be complete. */
  #receiveRest(): void {
    if (this.#headReader) this.#engine.receive(this.#handle, [this.#headReader.rest()]);
  }

  /** The response is not one to go on with. */
  #failResponse(error: unknown): void {
    this.error ??= error;
    this.#failExchanges(HttpFailureKind.protocol);
    this.destroy(error);
  }

  #failExchanges(kind: HttpFailureKind): void {
    for (const exchange of this.#exchanges)
      exchange.onFailed({ kind, code: 0, fault: HttpFault.none, message: '' });
  }

  async #writeAll(): Promise<void> {
    while (!this.#over) {
      if (this.#state.output > 0) {
        if (!this.#channel.hasRoom()) await this.#channel.untilWritable();
        if (this.#over) return;
        await this.#channel.send({
          target: { engine: this.#engine.records, connection: this.#handle },
          take: use => this.#engine.take(this.#handle, use),
        });
        continue;
      }
      if (this.#state.outputEnded) break;
      await this.#writing.wait();
    }
    if (this.#over) return;
    this.#endSoon();
    await this.#channel.close();
    this.#outputClosed = true;
    if (this.#state.done) this.#complete();
  }

  /** Everything has been said on both sides. */
  #complete(): void {
    if (this.#over) return;
    this.#end();
    this.#engine.freeConnection(this.#handle);
    this.#abort(undefined);
  }

  /** Both sides may have ended as they should. */
  #abort(reason: unknown): void {
    if (!this.#inputEnded || !this.#outputClosed) this.#channel.abort(reason);
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.error ??= error;
    this.#receiveRest();
    this.#engine.receiveFailed(this.#handle);
    // The exchanges may still read what came before the failure; the engine fails each behind that.
    this.#channel.abort(error);
    this.#destroyIfUseless();
    this.#onChange();
  }

  /** Nothing more can be received, nobody waits for anything, and the engine still has something to say. */
  #destroyIfUseless(): void {
    if (!this.idle) return;
    if (this.error !== undefined) this.destroy(this.error);
    else if (this.#inputEnded && !this.#state.done) this.destroy(abandoned());
  }

  /** Writing failed, but the server may have answered before it stopped reading. */
  #failSlowly(error: unknown): void {
    if (this.#over || this.error !== undefined) return;
    this.#spent = true;
    this.#outputClosed = true;
    if (this.#state.done) this.#complete();
    else this.#endSoon(error);
    this.#onChange();
  }

  #endSoon(error: unknown = abandoned()): void {
    clearTimeout(this.#lastWords);
    this.#lastWords = setTimeout(() => {
      if (this.#waitsForPage) this.#endSoon(error);
      else this.destroy(error);
    }, LAST_WORDS_MS);
  }

  /** The page has yet to take what the server has said. */
  get #waitsForPage(): boolean {
    if (this.idle) return false;
    return this.#inputEnded || this.error !== undefined || this.#state.unread > UNREAD_LIMIT_BYTES;
  }

  #end(): void {
    this.#over = true;
    this.#heartbeat.release(this);
    clearTimeout(this.#lastWords);
    this.#wake();
    this.#onChange();
  }

  #wake(): void {
    this.#reading.wake();
    this.#writing.wake();
  }
}

function abandoned(): MtlsError {
  return new MtlsError(
    'ERR_HTTP_CLOSED',
    'The connection was closed, because its last response was given up.',
  );
}
