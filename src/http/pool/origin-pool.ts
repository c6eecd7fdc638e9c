import { MtlsError } from '../../errors.js';
import type { HostPort } from '../../util/host-port.js';
import type { Heartbeat } from '../connection/heartbeat.js';
import { HttpConnection } from '../connection/http-connection.js';
import type { HttpEngine } from '../http-engine.js';
import { giveUp, type PlaintextStream } from '../plaintext-stream.js';
import { Growth } from './growth.js';
import { IdleTimers } from './idle-timers.js';
import { isBusy } from './retries.js';

interface Waiter {
  /** Whether a connection is taken from others: not by what only waits for there to be one. */
  takes: boolean;
  start(connection: HttpConnection): void;
  fail(error: unknown): void;
}

interface Limits {
  heartbeat: Heartbeat;
  idleTimeoutMs: number;
  maxConnectionsPerOrigin: number;
}

type ConnectToOrigin = (signal: AbortSignal, alpn: readonly string[]) => Promise<PlaintextStream>;

/** The connections to one origin, and the requests that wait for one. */
export class OriginPool {
  readonly address: HostPort;
  #engine: HttpEngine;
  #connect: ConnectToOrigin;
  #limits: Limits;
  #connections = new Set<HttpConnection>();
  /** Those that take no request any more, and still have some in progress. */
  #retired = new Set<HttpConnection>();
  #idleTimers = new IdleTimers(connection => this.#retire(connection));
  #growth = new Growth();
  /** Since the last look at them. */
  #changed = new Set<HttpConnection>();
  #attempts = new Set<AbortController>();
  #waiters = new Set<Waiter>();
  /** What the last connection spoke: how many to open is not known before. */
  #protocol: 'h2' | 'http/1.1' | undefined;
  #alpn: readonly string[] = ['h2', 'http/1.1'];
  #ended = false;
  /** The last connection, and who was waiting while it was made. */
  #precedent: { stream: PlaintextStream; waiters: ReadonlySet<Waiter> } | undefined;
  #proven = false;
  /** It is being found out which connections may still be used. */
  #settling = false;

  constructor(
    address: HostPort,
    parts: {
      engine: HttpEngine;
      connect: ConnectToOrigin;
      limits: Limits;
    },
  ) {
    this.address = address;
    this.#engine = parts.engine;
    this.#connect = parts.connect;
    this.#limits = parts.limits;
  }

  /** Whether the server has ever answered. */
  get proven(): boolean {
    for (const connection of this.#connections) this.#proven ||= connection.proven;
    return this.#proven;
  }

  /** Runs `use` with a connection that takes a request now, as soon as there is one. */
  run<T>(use: (connection: HttpConnection) => T, signal?: AbortSignal): Promise<T> {
    return this.#wait(use, { takes: true, signal });
  }

  /** Has a connection made, unless there is one that takes a request now. */
  async preconnect(signal?: AbortSignal): Promise<void> {
    const connection = await this.#wait(it => it, { takes: false, signal });
    if (this.#connections.has(connection) && connection.idle) this.#noteIdle(connection);
  }

  #wait<T>(
    use: (connection: HttpConnection) => T,
    { takes, signal }: { takes: boolean; signal: AbortSignal | undefined },
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        waiter.fail(signal?.reason);
        this.#dropNeedlessAttempts();
      };
      const settle = () => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        takes,
        start: connection => {
          settle();
          try {
            resolve(use(connection));
          } catch (error) {
            reject(error);
          }
        },
        fail: error => {
          settle();
          reject(error);
        },
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      this.#serve();
    });
  }

  /** Closes the connections with nothing in progress. */
  closeIdle(): void {
    for (const connection of this.#connections) if (connection.idle) this.#retire(connection);
  }

  /** No connection made so far takes a request any more; what is in progress ends. */
  retire(): void {
    for (const connection of this.#connections) this.#retire(connection);
  }

  /** The server takes some requests over HTTP/1.1 alone (HTTP_1_1_REQUIRED, RFC 9113 section 7): all go that way from now on. */
  requireHttp1(): void {
    this.#alpn = ['http/1.1'];
    this.#protocol = 'http/1.1';
    for (const connection of this.#connections) if (connection.protocol === 'h2') this.#retire(connection);
  }

  /** Lets what is in progress end. */
  close(): void {
    this.#endWaiting();
    for (const connection of this.#connections) this.#retire(connection);
  }

  /** Ends everything at once. */
  destroy(error: unknown): void {
    this.#endWaiting();
    for (const connection of [...this.#connections, ...this.#retired]) connection.destroy(error);
  }

  #endWaiting(): void {
    this.#ended = true;
    for (const attempt of this.#attempts) attempt.abort(clientClosed());
    this.#attempts.clear();
    for (const waiter of this.#waiters) waiter.fail(clientClosed());
  }

  /** Gives waiting requests to connections, and opens connections for the rest. */
  #serve(): void {
    if (this.#waiters.size === 0 || this.#settling || this.#settle()) return;
    for (const connection of this.#connections)
      if (connection.admission?.holds() === false) this.#retire(connection);
    for (const waiter of this.#waiters) {
      const connection = this.#available();
      if (!connection) break;
      if (waiter.takes) this.#growth.begin(connection);
      waiter.start(connection);
    }
    const wanted = this.#wantedAttempts();
    for (let i = 0; i < wanted; i++) this.#open();
  }

  /** Whether requests have to wait until it is known which connections may still be used. */
  #settle(): boolean {
    for (const { admission } of this.#connections) {
      const settled = admission?.settled();
      if (!settled) continue;
      this.#settling = true;
      settled.then(() => {
        this.#settling = false;
        this.#serve();
      });
      return true;
    }
    return false;
  }

  #available(): HttpConnection | undefined {
    for (const connection of this.#connections) if (connection.available) return connection;
    return undefined;
  }

  #wantedAttempts(): number {
    const takers = [...this.#waiters].filter(it => it.takes).length;
    const requests = Math.max(takers, Math.min(this.#waiters.size, 1));
    const missing = requests - this.#attempts.size;
    if (missing <= 0 || this.#ended) return 0;
    const room = this.#limits.maxConnectionsPerOrigin - this.#connections.size - this.#attempts.size;
    // An h2 connection may take all that wait.
    if (this.#protocol !== 'http/1.1') return Math.min(1 - this.#attempts.size, room);
    const most = Math.min(missing, room);
    const wanted = this.#growth.wanted(requests, this.#connections.size) - this.#attempts.size;
    if (wanted < most) this.#growth.later(() => this.#serve());
    return Math.min(wanted, most);
  }

  /** Once nobody waits any more, nobody needs another connection; a person may be being asked for it. */
  #dropNeedlessAttempts(): void {
    if (this.#waiters.size > 0) return;
    for (const attempt of this.#attempts)
      attempt.abort(new DOMException('Nobody waits any more.', 'AbortError'));
    this.#attempts.clear();
  }

  #open(): void {
    const attempt = new AbortController();
    this.#attempts.add(attempt);
    const connect = this.#precedented() ?? this.#connect;
    connect(attempt.signal, this.#alpn).then(
      stream => this.#adopt(stream, attempt),
      error => this.#onRefused(error, attempt),
    );
  }

  /** Nobody is asked twice on behalf of requests that were waiting for the same answer. */
  #precedented(): PlaintextStream['again'] {
    const { stream, waiters } = this.#precedent ?? {};
    const isAwaited = [...(waiters ?? [])].some(it => this.#waiters.has(it));
    return isAwaited && stream?.admission?.holds() !== false ? stream?.again : undefined;
  }

  #adopt(stream: PlaintextStream, attempt: AbortController): void {
    if (!this.#attempts.has(attempt)) {
      giveUp(stream);
      return;
    }
    try {
      this.#add(stream, attempt);
    } catch (error) {
      // The engine has failed.
      giveUp(stream);
      this.#onRefused(error, attempt);
    }
  }

  #add(stream: PlaintextStream, attempt: AbortController): void {
    const connection: HttpConnection = new HttpConnection(this.#engine, stream, {
      heartbeat: this.#limits.heartbeat,
      onChange: () => this.#onChange(connection),
    });
    this.#attempts.delete(attempt);
    this.#protocol = connection.protocol;
    this.#growth.noteHandshake(stream.info.timings.handshakeMs);
    this.#connections.add(connection);
    this.#precedent = { stream, waiters: new Set(this.#waiters) };
    this.#onChange(connection);
  }

  #onRefused(error: unknown, attempt: AbortController): void {
    if (!this.#attempts.delete(attempt)) return;
    // Requests go on waiting only where another connection will come, or come free.
    if (this.#attempts.size > 0 || (this.#connections.size > 0 && isBusy(error))) return;
    for (const waiter of this.#waiters) waiter.fail(error);
  }

  #onChange(connection: HttpConnection): void {
    if (connection.over) this.#retired.delete(connection);
    if (!this.#connections.has(connection)) return;
    this.#proven ||= connection.proven;
    if (connection.idle) this.#growth.end(connection);
    if (connection.closed) this.#remove(connection);
    // Not inside the engine's telling of what happened.
    if (this.#changed.size === 0) queueMicrotask(() => this.#followChanges());
    this.#changed.add(connection);
  }

  #followChanges(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    this.#serve();
    for (const connection of changed)
      if (this.#connections.has(connection) && connection.idle) this.#noteIdle(connection);
  }

  #retire(connection: HttpConnection): void {
    this.#remove(connection);
    connection.close();
  }

  /** It takes no request any more. */
  #remove(connection: HttpConnection): void {
    this.#connections.delete(connection);
    this.#growth.end(connection);
    this.#idleTimers.forget(connection);
    if (!connection.over) this.#retired.add(connection);
  }

  #noteIdle(connection: HttpConnection): void {
    const limitMs = Math.min(this.#limits.idleTimeoutMs, connection.idleLimitMs ?? Infinity);
    this.#idleTimers.note(connection, limitMs);
  }
}

export function clientClosed(): MtlsError {
  return new MtlsError('ERR_CLIENT_CLOSED', 'This client has been closed.');
}
