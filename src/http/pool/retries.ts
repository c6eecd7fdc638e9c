import { MtlsError } from '../../errors.js';
import { type Exchange, ExchangeFailure, type OutgoingRequest } from '../connection/exchange.js';
import type { HttpConnection } from '../connection/http-connection.js';

/** A server that ends every connection at once is given up on. */
const MAX_ATTEMPTS = 100;
/** So many attempts in a row may fail without any request having been answered meanwhile. */
const MAX_FRUITLESS = 8;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** Methods that may be sent twice (RFC 9110 section 9.2.2). */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
/** What a relay or server that is just being restarted shows. */
const passing = new Set(['ERR_TUNNEL_UNREACHABLE', 'ERR_TUNNEL_CLOSED', 'ERR_TUNNEL_RESET']);

/** What else one shows that takes no further connection now. */
const busy = new Set(['ERR_TLS_TRUNCATED', 'ERR_TLS_TIMEOUT']);

/** An exchange failed in such a way that its request may be sent again. */
export class Repeatable extends Error {
  readonly failure: ExchangeFailure;
  /** Whether the connection it failed on is over, and was of use: it has answered, or has yet to answer others that it took. */
  readonly fruitful: boolean;

  constructor(failure: ExchangeFailure, fruitful: boolean) {
    super('may be sent again');
    this.failure = failure;
    this.fruitful = fruitful;
  }
}

/**
 * Decides for one request whether it is sent again.
 *
 * - The server certainly did not process it: as often as that helps, because a busy server ends each connection after a number of
 *   requests. This holds for POST too.
 * - Nobody knows whether the server processed it: once, and only for a method that may be sent twice.
 * - The server answered or may have acted on it: never.
 */
export class Retries {
  #method: string;
  #reconnectAttempts: number;
  #attempts = 0;
  #uncertain = 0;
  #fruitless = 0;
  #reconnects = 0;

  constructor(method: string, reconnectAttempts: number) {
    this.#method = method;
    this.#reconnectAttempts = reconnectAttempts;
  }

  /** Milliseconds to wait before the next attempt. Throws what the request is to fail with when there is none. */
  pauseAfter(error: unknown, origin: { proven: boolean }): number {
    if (error instanceof Repeatable) return this.#pauseAfterExchange(error);
    // The origin was reached, whatever the connection then broke with.
    if (error instanceof ExchangeFailure) throw error.reason;
    const unreachable = error instanceof MtlsError && passing.has(error.code);
    if (!unreachable || !origin.proven || !isIdempotent(this.#method)) throw error;
    if (++this.#reconnects > this.#reconnectAttempts) throw error;
    return pauseMs(this.#reconnects + 1);
  }

  #pauseAfterExchange({ failure, fruitful }: Repeatable): number {
    if (failure.processed !== 'no' && ++this.#uncertain > 1) throw failure.reason;
    this.#fruitless = fruitful ? 0 : this.#fruitless + 1;
    if (++this.#attempts === MAX_ATTEMPTS || this.#fruitless > MAX_FRUITLESS) throw failure.reason;
    return this.#fruitless > 1 ? pauseMs(this.#fruitless - 1) : 0;
  }
}

/** Whether a connection could not be made for a reason that may pass when another one ends: a server or relay at its limit. */
export function isBusy(error: unknown): boolean {
  return error instanceof MtlsError && (passing.has(error.code) || busy.has(error.code));
}

/** A request that failed on a connection before its response. */
export interface FailedAttempt {
  failure: ExchangeFailure;
  request: OutgoingRequest;
  exchange: Exchange;
  connection: HttpConnection;
  /** Whether the connection had given a response before. */
  proven: boolean;
}

/** Whether a failed request may be sent again over another connection. */
export function mayRepeat({ failure, request, exchange, connection, proven }: FailedAttempt): boolean {
  if (request.body && exchange.bodyTouched && !request.body.replayable) return false;
  // A connection that failed before it ever worked will fail again in the same way.
  if (!proven && connection.error !== undefined) return false;
  if (failure.processed === 'no') return true;
  return failure.processed === 'maybe' && proven && isIdempotent(request.method);
}

function isIdempotent(method: string): boolean {
  return idempotent.has(method);
}

/** Doubled each time; uneven, so that clients that failed together do not come back together. */
function pauseMs(time: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (time - 1), LONGEST_PAUSE_MS) * (0.75 + Math.random() / 2);
}
