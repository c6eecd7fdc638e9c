import { checkedInteger, checkOptionNames, type IntegerRange, MAX_TIMER_MS } from '../../util/options.js';

/** How a client's connections are kept. Times are whole milliseconds. */
export interface PoolOptions {
  /**
   * How long a connection is kept without a request, in milliseconds; over HTTP/1.1 not longer than the server's `Keep-Alive` says. From 0
   * to 2^31 - 1; default 60,000.
   */
  idleTimeoutMs?: number;
  /**
   * Connections to one origin at once; further requests wait. Over HTTP/1.1 a connection carries one request at a time. Over HTTP/2 it
   * carries as many as the server allows, at most 64; only then another one is opened. From 1 to 256; default 6.
   */
  maxConnectionsPerOrigin?: number;
  /**
   * HTTP/2: the silence after which a PING is sent while a request waits, in milliseconds (RFC 9113 section 6.7). HTTP/1.1 has no PING: use
   * `AbortSignal.timeout()`. From 1,000 to 2^31 - 1, or 0 for never (a gRPC server may object to frequent pings); default 15,000.
   */
  pingIntervalMs?: number;
  /**
   * HTTP/2: how long the server may take to answer a PING, in milliseconds. Then the connection is given up, and its requests fail with
   * ERR_HTTP_TIMEOUT unless they may be sent again. Time in which the page was suspended does not count. From 1,000 to 2^31 - 1; default
   * 10,000.
   */
  pingTimeoutMs?: number;
  /**
   * How often a request that may be repeated (GET, HEAD, OPTIONS, PUT, DELETE) tries to connect again to an origin that has answered
   * before. The pauses are about 0.1, 0.2, 0.4 … seconds. From 0 to 10; default 4.
   */
  reconnectAttempts?: number;
}

const ranges: Record<keyof PoolOptions, IntegerRange & { usual: number }> = {
  idleTimeoutMs: { min: 0, max: MAX_TIMER_MS, usual: 60_000 },
  maxConnectionsPerOrigin: { min: 1, max: 256, usual: 6 },
  pingIntervalMs: { min: 1_000, max: MAX_TIMER_MS, or: 0, usual: 15_000 },
  pingTimeoutMs: { min: 1_000, max: MAX_TIMER_MS, usual: 10_000 },
  reconnectAttempts: { min: 0, max: 10, usual: 4 },
};

/** All options, with their defaults. A wrong one is a TypeError. */
export function readPoolOptions(options: PoolOptions = {}): Required<PoolOptions> {
  checkOptionNames(options, ranges, 'pool.');
  const read = (name: keyof PoolOptions) =>
    checkedInteger(`pool.${name}`, options[name] ?? ranges[name].usual, ranges[name]);
  return {
    idleTimeoutMs: read('idleTimeoutMs'),
    maxConnectionsPerOrigin: read('maxConnectionsPerOrigin'),
    pingIntervalMs: read('pingIntervalMs'),
    pingTimeoutMs: read('pingTimeoutMs'),
    reconnectAttempts: read('reconnectAttempts'),
  };
}
