import { mtlsErrorOf } from '../../errors.js';
import { type HostPort, serverOf } from '../../util/host-port.js';
import { delay } from '../../util/promises.js';
import { ExchangeFailure, type OutgoingRequest } from '../connection/exchange.js';
import { Heartbeat } from '../connection/heartbeat.js';
import type { HttpEngine } from '../http-engine.js';
import type { Connect } from '../plaintext-stream.js';
import type { RawResponse } from '../raw-response.js';
import { clientClosed, OriginPool } from './origin-pool.js';
import { type PoolOptions, readPoolOptions } from './pool-options.js';
import type { ObservedRequest, RequestObserver } from './request-observer.js';
import { mayRepeat, Repeatable, Retries } from './retries.js';

interface Sending {
  signal: AbortSignal | undefined;
  observed: ObservedRequest | undefined;
}

/** The connections of a client: made when needed, shared, used again, closed when idle. */
export class Pool {
  #engine: HttpEngine;
  #connect: Connect;
  #options: Required<PoolOptions>;
  #heartbeat: Heartbeat;
  #observer: RequestObserver | undefined;
  #origins = new Map<string, OriginPool>();
  #closed = false;

  constructor(
    engine: HttpEngine,
    connect: Connect,
    { observer, ...options }: PoolOptions & { observer?: RequestObserver | undefined } = {},
  ) {
    this.#engine = engine;
    this.#connect = connect;
    this.#observer = observer;
    this.#options = readPoolOptions(options);
    const { pingIntervalMs: intervalMs, pingTimeoutMs: timeoutMs } = this.#options;
    this.#heartbeat = new Heartbeat(engine, { intervalMs, timeoutMs });
  }

  /**
   * Sends a request and resolves with the head of its response. A request that met a connection's end is sent again by
   * the rules of `Retries`. One whose origin has answered before and cannot be reached now waits for it a little.
   *
   * Rejects with an `MtlsError`, with what `connect` rejected with, or with the signal's reason.
   */
  async send(request: OutgoingRequest, signal?: AbortSignal): Promise<RawResponse> {
    const observed = this.#observer?.begin(request);
    try {
      return await this.#sendUntilAnswered(request, { signal, observed });
    } catch (error) {
      observed?.ended({ bodyBytes: 0, error });
      request.body?.abandon(error);
      throw error;
    }
  }

  /** Has a connection to a URL's origin made, unless there is one that takes a request now. Rejects as `send` does. */
  async preconnect(url: URL, signal?: AbortSignal): Promise<void> {
    await this.#origin(url).preconnect(signal);
  }

  /** Lets what is in progress end, and takes no request any more. */
  close(): void {
    this.#shut(origin => origin.close());
  }

  /** Ends everything at once. */
  destroy(error: unknown = clientClosed()): void {
    this.#shut(origin => origin.destroy(error));
  }

  /** Closes the connections of all origins that have nothing in progress. */
  closeIdle(): void {
    for (const origin of this.#origins.values()) origin.closeIdle();
  }

  /** No connection made so far to an origin that `matches` holds for takes a request any more: what is in progress ends. */
  retire(matches: (origin: HostPort) => boolean): void {
    for (const origin of this.#origins.values()) if (matches(origin.address)) origin.retire();
  }

  #shut(end: (origin: OriginPool) => void): void {
    this.#closed = true;
    for (const origin of this.#origins.values()) end(origin);
    this.#origins.clear();
  }

  async #sendUntilAnswered(request: OutgoingRequest, { signal, observed }: Sending): Promise<RawResponse> {
    const retries = new Retries(request.method, this.#options.reconnectAttempts);
    for (;;) {
      const origin = this.#origin(request.url);
      try {
        return await this.#attempt(request, origin, { signal, observed });
      } catch (error) {
        const pauseMs = retries.pauseAfter(error, origin);
        observed?.retried(error instanceof Repeatable ? error.failure.reason : error, pauseMs);
        // What ended one connection unseen has probably ended the others.
        if (error instanceof Repeatable && error.failure.processed === 'maybe') origin.closeIdle();
        if (pauseMs > 0) await delay(pauseMs, signal);
      }
    }
  }

  async #attempt(
    request: OutgoingRequest,
    origin: OriginPool,
    { signal, observed }: Sending,
  ): Promise<RawResponse> {
    const started = await origin.run(connection => {
      const { proven } = connection;
      return { connection, proven, startMs: performance.now(), exchange: connection.send(request, signal) };
    }, signal);
    const { connection, exchange, startMs } = started;
    try {
      const head = await exchange.head;
      const { body, trailers } = exchange;
      const failure = () => body.failure;
      const responseMs = performance.now() - startMs;
      if (observed) {
        const { protocol, transport } = connection;
        const { connectionId } = transport;
        observed.answered({ connectionId, status: head.status, protocol, responseMs });
        trailers.then(
          () => observed.ended({ bodyBytes: exchange.bodyBytes }),
          error => observed.ended({ bodyBytes: exchange.bodyBytes, error: mtlsErrorOf(error) ?? error }),
        );
      }
      return { head, body: body.stream, trailers, failure, connection, responseMs };
    } catch (error) {
      if (!(error instanceof ExchangeFailure)) throw error;
      if (error.notice === 'wants-http1') origin.requireHttp1();
      if (mayRepeat({ failure: error, request, ...started }))
        throw new Repeatable(error, connection.closed && (connection.proven || !connection.idle));
      throw error;
    }
  }

  #origin(url: URL): OriginPool {
    if (this.#closed) throw clientClosed();
    let origin = this.#origins.get(url.host);
    if (!origin) {
      const address = serverOf(url);
      origin = new OriginPool(address, {
        engine: this.#engine,
        connect: (signal, alpn) => this.#connect(address, signal, alpn),
        limits: { ...this.#options, heartbeat: this.#heartbeat },
      });
      this.#origins.set(url.host, origin);
    }
    return origin;
  }
}
