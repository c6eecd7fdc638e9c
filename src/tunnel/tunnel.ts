import type { HostPort } from '../util/host-port.js';

/**
 * A byte stream to a target, with backpressure in both directions.
 */
export interface TunnelStream {
  /**
   * The bytes from the target. It ends when the target half-closes, and fails with ERR_TUNNEL_… otherwise. `cancel()` gives the stream up.
   */
  readable: ReadableStream<Uint8Array>;
  /** The bytes to the target. A write resolves when its bytes may leave. `close()` half-closes; `abort()` gives the stream up. */
  writable: WritableStream<Uint8Array>;
}

/**
 * A transport that opens byte streams to targets. The library's own leads through its relay; any other with this shape works too
 * (`docs/tunnel.md`).
 */
export interface Tunnel {
  /**
   * Opens a stream. It may resolve before the target has accepted; a refusal then fails both directions. Bytes that are written meanwhile
   * follow the request.
   *
   * @param options `signal`: aborts the wait, and later the stream; both directions fail with its reason. So do not give a pooled connection
   *   the signal of a single request.
   */
  connect(address: HostPort, options?: { signal?: AbortSignal }): Promise<TunnelStream>;
  /**
   * Frees what is kept for further streams. Open streams continue, and a later `connect` works. `MtlsClient.close` calls it. Absent: there is
   * nothing to free.
   */
  close?(): void;
}
