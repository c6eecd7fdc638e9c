import { MtlsError } from '../errors.js';
import type { TlsConnection } from '../tls/tls-connection.js';

/** What a socket learns when it is open. */
export interface SocketInfo {
  /** `hostname:port` as asked for. */
  remoteAddress: string;
  alpn: string | null;
}

/**
 * A TLS connection in the shape of the WinterTC Sockets API: `readable` and `writable` can be used at once and wait
 * for the handshake. Closing `writable` half-closes.
 */
export interface Socket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves when the handshake is complete, rejects with an `MtlsError` when it failed. */
  readonly opened: Promise<SocketInfo>;
  /** Resolves when both directions have ended, rejects with the reason of a failure. */
  readonly closed: Promise<void>;
  readonly secureTransport: 'on';
  /** Gives both directions up. */
  close(): Promise<void>;
}

export class TlsSocket implements Socket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly opened: Promise<SocketInfo>;
  readonly closed: Promise<void>;
  readonly secureTransport = 'on';
  #abort = new AbortController();

  constructor(remoteAddress: string, open: (signal: AbortSignal) => Promise<TlsConnection>) {
    const connection = open(this.#abort.signal);
    const incoming = new TransformStream<Uint8Array, Uint8Array>();
    const outgoing = new TransformStream<Uint8Array, Uint8Array>();
    this.readable = incoming.readable;
    this.writable = outgoing.writable;
    this.opened = connection.then(({ info }) => ({ remoteAddress, alpn: info.alpn || null }));
    this.closed = this.#carry(connection, incoming.writable, outgoing.readable);
    // Whoever cares looks; nobody has to.
    this.opened.catch(() => {});
    this.closed.catch(() => {});
  }

  async close(): Promise<void> {
    this.#abort.abort(new MtlsError('ERR_CLIENT_CLOSED', 'The socket has been closed.'));
    await this.closed.catch(() => {});
  }

  async #carry(
    connecting: Promise<TlsConnection>,
    incoming: WritableStream<Uint8Array>,
    outgoing: ReadableStream<Uint8Array>,
  ): Promise<void> {
    const { signal } = this.#abort;
    try {
      const connection = await connecting;
      // A pipe that is aborted waits for the write in progress, which may be waiting for the server.
      signal.addEventListener('abort', () => connection.abort(signal.reason), { once: true });
      await Promise.all([
        connection.readable.pipeTo(incoming, { signal }),
        outgoing.pipeTo(connection.writable, { signal }),
      ]);
    } catch (error) {
      await Promise.allSettled([incoming.abort(error), outgoing.cancel(error)]);
      this.#abort.abort(error);
      if (signal.reason === error && error instanceof MtlsError && error.code === 'ERR_CLIENT_CLOSED') return;
      throw error;
    }
  }
}
