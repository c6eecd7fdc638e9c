import type { HostPort } from '../util/host-port.js';

/**
 * One byte stream to a target, both ways, with backpressure.
 *
 * - `readable` ends cleanly when the target half-closes; it errors with an `MtlsError` (`ERR_TUNNEL_…`) on anything else.
 *   Cancelling it gives the connection up.
 * - `writable` resolves a write once the bytes may leave; `close()` half-closes; `abort()` gives the connection up.
 */
export interface TunnelStream {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
}

/**
 * Opens byte streams to targets. The library's own goes through its relay (`docs/tunnel.md`); any other
 * transport with this shape works.
 *
 * `connect` may resolve before the target has accepted: what is written meanwhile travels right behind the request,
 * and a refusal then errors both streams. It rejects with the signal's reason when aborted; the signal stays good for the
 * life of the connection, and errors both streams with its reason then. So a connection that outlives one request (in a pool)
 * must not be given that request's signal.
 */
export interface Tunnel {
  connect(address: HostPort, options?: { signal?: AbortSignal }): Promise<TunnelStream>;
  /**
   * Lets go of what is kept for further streams; those that are open go on, and a later `connect` works. `MtlsClient.close`
   * calls it.
   */
  close?(): void;
}
