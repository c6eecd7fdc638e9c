import { HttpFailureKind } from '../engine/abi.js';
import { MtlsError } from '../errors.js';
import type { PlaintextChannel, PlaintextSink } from '../tls/plaintext-channel.js';
import { concatenated } from '../util/bytes.js';
import { certificateRefusal, mayBeRefusal } from './certificate-refusal.js';
import { StreamChannel } from './connection/stream-channel.js';
import { failureSentence } from './failure-sentence.js';
import { HeadReader } from './head/head-reader.js';
import type { Fields, HttpEngine, HttpFailure, ResponseHead } from './http-engine.js';
import { giveUp, type PlaintextStream } from './plaintext-stream.js';

export interface UpgradeRequest {
  url: URL;
  headers: Fields;
  signal: AbortSignal;
}

/** The answer to a request to change the protocol (RFC 9110 section 7.8). */
export interface UpgradeAnswer {
  head: ResponseHead;
  /** When it is 101: the connection from there on. */
  stream: UpgradedStream | undefined;
}

export interface UpgradedStream {
  /** Received behind the answer's head, and to be read first. */
  rest: Uint8Array;
  channel: PlaintextChannel;
}

/**
 * Asks for another protocol on a connection of its own, which HTTP/1.1 then leaves. The connection is given up when the answer
 * is not 101, or none comes.
 *
 * @throws MtlsError ERR_HTTP_…; ERR_TLS_CLIENT_CERT_…, where nginx says so; what the connection failed with; the signal's reason
 */
export async function upgrade(
  engine: HttpEngine,
  transport: PlaintextStream,
  request: UpgradeRequest,
): Promise<UpgradeAnswer> {
  const { signal } = request;
  const negotiation = negotiate(engine, transport);
  const abort = () => negotiation.giveUp(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    const answer = await negotiation.run(request);
    if (!answer.stream) negotiation.giveUp();
    return answer;
  } catch (error) {
    negotiation.giveUp(error);
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    negotiation.free();
  }
}

function negotiate(engine: HttpEngine, transport: PlaintextStream): Negotiation {
  try {
    return new Negotiation(engine, transport);
  } catch (error) {
    // The engine has failed.
    giveUp(transport);
    throw error;
  }
}

class Negotiation {
  #engine: HttpEngine;
  #transport: PlaintextStream;
  #channel: PlaintextChannel;
  #connection: number;
  #exchange = 0;
  #head: ResponseHead | undefined;
  #headReader = new HeadReader();
  #page: Uint8Array[] = [];
  #ended = false;
  #failure: HttpFailure | undefined;
  #engineFailure: unknown;

  constructor(engine: HttpEngine, transport: PlaintextStream) {
    this.#engine = engine;
    this.#transport = transport;
    // First: where it throws, the stream is still the caller's.
    this.#connection = engine.openConnection('http/1.1', {
      onState: () => {},
      onEngineFailed: error => {
        this.#engineFailure = error;
      },
    });
    this.#channel = transport.channel ?? new StreamChannel(transport);
  }

  async run(request: UpgradeRequest): Promise<UpgradeAnswer> {
    request.signal.throwIfAborted();
    this.#begin(request);
    let head: readonly Uint8Array[] = [];
    this.#engine.take(this.#connection, pieces => {
      head = pieces.map(piece => piece.slice());
    });
    // A server that takes no request may have said why: that is read first, and a failure shows there as well.
    const sent = this.#channel.send({ target: undefined, take: use => use(head) }).catch(() => {});
    while (!this.#head) await this.#receive();
    await sent;
    if (this.#head.status !== 101) {
      if (mayBeRefusal(this.#head, this.#transport.info)) await this.#checkRefusal();
      return { head: this.#head, stream: undefined };
    }
    const rest = this.#engine.takeRest(this.#connection) ?? new Uint8Array(0);
    return { head: this.#head, stream: { rest, channel: this.#channel } };
  }

  giveUp(reason?: unknown): void {
    this.#channel.abort(reason);
  }

  free(): void {
    if (this.#engineFailure !== undefined) return;
    if (this.#exchange) this.#engine.cancel(this.#exchange);
    this.#engine.freeConnection(this.#connection);
  }

  #begin({ url, headers }: UpgradeRequest): void {
    const head = { method: 'GET', url: url.href, headers, bodyLength: 0 };
    const begun = this.#engine.begin(this.#connection, head, {
      onBodyWanted: () => {},
      onBodyStopped: () => {},
      onHead: answer => {
        this.#head = this.#headReader.shown(answer);
      },
      onData: bytes => {
        this.#page.push(bytes);
      },
      onEnd: () => {
        this.#ended = true;
      },
      onFailed: failure => {
        this.#failure = failure;
      },
    });
    if (typeof begun === 'number') this.#exchange = begun;
    else this.#failure = begun;
    this.#check();
  }

  /** In JavaScript: the head's lines are read before the engine gets them. */
  readonly #sink: PlaintextSink = {
    target: () => undefined,
    data: pieces => {
      this.#check();
      this.#engine.receive(
        this.#connection,
        pieces.map(bytes => this.#headReader.read(bytes)),
      );
    },
  };

  async #receive(): Promise<void> {
    const goesOn = await this.#channel.receive(this.#sink);
    if (!goesOn) {
      this.#check();
      this.#engine.receive(this.#connection, [this.#headReader.rest()]);
      this.#engine.receiveEnd(this.#connection);
    }
    this.#check();
    if (!goesOn && !this.#head) throw closed();
  }

  async #checkRefusal(): Promise<void> {
    while (!this.#ended) {
      const pieces = this.#page.length;
      this.#engine.pull(this.#exchange);
      if (!this.#ended && this.#page.length === pieces) await this.#receive();
    }
    const refusal = certificateRefusal(concatenated(this.#page), this.#transport.info);
    if (!refusal) return;
    this.#transport.admission?.noteRefusal();
    throw refusal;
  }

  #check(): void {
    if (this.#engineFailure !== undefined) throw this.#engineFailure;
    if (!this.#failure) return;
    const { kind } = this.#failure;
    const sentence = failureSentence(this.#failure);
    if (kind === HttpFailureKind.tooLarge) throw new MtlsError('ERR_HTTP_HEADERS_TOO_LARGE', sentence);
    if (kind === HttpFailureKind.closed) throw closed();
    const fault = kind === HttpFailureKind.protocol && !this.#head ? this.#headReader.fault : undefined;
    throw fault ?? new MtlsError('ERR_HTTP_PROTOCOL', sentence);
  }
}

function closed(): MtlsError {
  return new MtlsError('ERR_HTTP_CLOSED', 'HTTP: the connection was closed without a response.');
}
