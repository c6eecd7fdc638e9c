import type { PlaintextChannel } from '../tls/plaintext-channel.js';
import type { HostPort } from '../util/host-port.js';
import type { TransportInfo } from './connection-info.js';

/**
 * A TLS connection as HTTP sees it.
 *
 * - `readable` ends when the server has sent close_notify, and errors with an `MtlsError` on anything else (e.g.
 *   `ERR_TLS_TRUNCATED`): that error is what the requests of the connection then reject with.
 * - Closing `writable` ends our side; aborting it, or cancelling `readable`, gives the connection up.
 */
export interface PlaintextStream {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
  /** What may be read and written instead of the streams: by one reader alone, or the other. */
  channel?: PlaintextChannel;
  /** Default: every request is admitted. */
  admission?: Admission;
  /** Another connection by the answers that this one was made by: for requests that were waiting for them too. */
  again?: (signal: AbortSignal, alpn: readonly string[]) => Promise<PlaintextStream>;
  /** About the connection beneath. */
  info: TransportInfo;
}

/** Whether requests may still go over a connection. */
export interface Admission {
  /** Settles, without fail, when `holds` can be asked; undefined: at once. */
  settled(): Promise<void> | undefined;
  holds(): boolean;
  /** Call this with each request. */
  noteUse(): void;
  /** Call this when the server refuses the client's certificate, or misses one. */
  noteRefusal(): void;
}

/** Gives a connection up whose streams nobody has locked. */
export function giveUp({ readable, writable }: PlaintextStream): void {
  writable.abort().catch(() => {});
  readable.cancel().catch(() => {});
}

/** Connects to a server that may choose among these protocols (ALPN). Rejects with the signal's reason when aborted. */
export type Connect = (
  origin: HostPort,
  signal: AbortSignal,
  alpn: readonly string[],
) => Promise<PlaintextStream>;
