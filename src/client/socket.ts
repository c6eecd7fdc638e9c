import { MtlsError } from '../errors.js';
import { bareHostname } from '../identity/hosts.js';
import type { TlsConnection } from '../tls/tls-connection.js';
import { formatHostPort, type HostPort } from '../util/host-port.js';
import { checkedInteger, checkOptionNames, type OptionNames } from '../util/options.js';
import { deferred } from '../util/promises.js';
import { ReadAhead } from './socket-read-ahead.js';

/** Options of `client.connect`. */
export interface SocketOptions {
  /** Only `on` is allowed, because the connection is TLS from its first byte. Default: `on`. */
  secureTransport?: 'on';
  /**
   * Whether `writable` stays open when the server has ended its side. With `false` it closes after its last write. Default: false.
   */
  allowHalfOpen?: boolean;
  /** Protocol names in order of preference (RFC 7301), each of 1 to 255 bytes. Default: none. */
  alpn?: readonly string[];
}

/** What is known of a socket when it is open. */
export interface SocketInfo {
  /** `hostname:port`, the host as URLs spell it, without the dot of the root. */
  remoteAddress: string;
  /** Always null: the relay has the TCP connection, and does not tell its address. */
  localAddress: null;
  /** The protocol that ALPN chose; null if none. */
  alpn: string | null;
}

/**
 * A TLS connection in the shape of the WinterTC Sockets API: `readable` and `writable` can be used at once and wait
 * for the handshake. Closing `writable` half-closes; cancelling `readable`, or aborting `writable`, gives both directions up.
 * When the connection breaks, what came before can still be read.
 */
export interface Socket {
  /** The bytes from the server. It ends when the server ends its side, and fails with an `MtlsError` when the connection breaks. */
  readonly readable: ReadableStream<Uint8Array>;
  /** The bytes to the server. A write waits while the server does not read. */
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves when the handshake is complete, rejects with an `MtlsError` when it failed. */
  readonly opened: Promise<SocketInfo>;
  /**
   * Resolves when both directions have ended, or by `close()`, or when `readable` was cancelled; rejects with the reason of a
   * failure, or of `writable.abort()`.
   */
  readonly closed: Promise<void>;
  /** Always `on`: the connection is TLS from its first byte. */
  readonly secureTransport: 'on';
  /** Always false: no socket is made by `startTls`. */
  readonly upgraded: false;
  /** Gives both directions up. Their streams fail with the reason, by default an `MtlsError` with ERR_CLIENT_CLOSED. */
  close(reason?: unknown): Promise<void>;
  /** Part of the Sockets API; not available here. @throws TypeError always, because the connection is TLS already */
  startTls(): never;
}

/** A target as `connect` takes it. @throws TypeError */
export function parseSocketAddress(address: string | HostPort): HostPort {
  const { hostname, port } = typeof address === 'string' ? splitAddress(address) : address;
  if (typeof hostname !== 'string') throw new TypeError('"hostname" must be a name or an IP address');
  checkedInteger('port', port, { min: 1, max: 65_535 });
  return { hostname: bareHostname(hostname), port };
}

function splitAddress(address: string): HostPort {
  const [, hostname, port] = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(address) ?? [];
  if (!hostname) throw new TypeError('"address" must be host:port, with an IPv6 address in brackets');
  return { hostname, port: Number(port) };
}

const names: OptionNames<SocketOptions> = { secureTransport: true, allowHalfOpen: true, alpn: true };

/** @throws TypeError */
export function parseSocketOptions(options: SocketOptions = {}): { allowHalfOpen: boolean; alpn: string[] } {
  checkOptionNames(options, names);
  const { secureTransport = 'on', allowHalfOpen = false, alpn = [] } = options;
  if (secureTransport !== 'on') throw new TypeError('"secureTransport" must be "on"');
  const fits = (name: unknown) => {
    const bytes = typeof name === 'string' ? new TextEncoder().encode(name).length : 0;
    return bytes > 0 && bytes < 256;
  };
  if (!alpn.every(fits)) throw new TypeError('"alpn" must be names of 1 to 255 bytes');
  return { allowHalfOpen, alpn: [...alpn] };
}

export interface SocketParts {
  address: HostPort;
  allowHalfOpen: boolean;
  open: (signal: AbortSignal) => Promise<TlsConnection>;
}

export class TlsSocket implements Socket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly opened: Promise<SocketInfo>;
  readonly closed: Promise<void>;
  readonly secureTransport = 'on';
  readonly upgraded = false;
  #allowHalfOpen: boolean;
  #abort = new AbortController();
  #halves: Promise<Halves>;
  #closing = deferred<void>();
  #readEnded = false;
  #writeEnded = false;
  #ahead: ReadAhead;
  #errorWritable: (reason: unknown) => void = () => {};

  constructor({ address, allowHalfOpen, open }: SocketParts) {
    const { signal } = this.#abort;
    const connection = open(signal);
    this.#allowHalfOpen = allowHalfOpen;
    this.#halves = connection.then(halvesOf);
    this.closed = this.#closing.promise;
    this.opened = connection.then(({ info }) => ({
      remoteAddress: formatHostPort(address),
      localAddress: null,
      alpn: info.alpn || null,
    }));
    this.#ahead = this.#readAhead();
    this.readable = this.#ahead.readable;
    this.writable = this.#makeWritable();
    // Beside the streams: a write in progress may be waiting for the server.
    const giveUp = (it: TlsConnection) => {
      if (signal.aborted) it.abort(signal.reason);
      signal.addEventListener('abort', () => it.abort(signal.reason), { once: true });
    };
    connection.then(giveUp, error => this.#giveUp(error));
    // Whoever cares looks; nobody has to.
    this.opened.catch(() => {});
    this.closed.catch(() => {});
  }

  async close(reason: unknown = closedError()): Promise<void> {
    this.#closing.resolve();
    this.#giveUp(reason);
  }

  startTls(): never {
    throw new TypeError('"startTls" must be called on a socket without TLS');
  }

  #readAhead(): ReadAhead {
    return new ReadAhead({
      read: async () => (await this.#halves).reader.read(),
      onEnd: () => void this.#onReadEnd(),
      onFailure: error => this.#fail(error),
      onCancel: reason => this.close(reason),
    });
  }

  #makeWritable(): WritableStream<Uint8Array> {
    return new WritableStream<Uint8Array>({
      start: controller => {
        this.#errorWritable = reason => controller.error(reason);
        // The sink's own `abort` would come only after a write, which may be waiting for the server.
        controller.signal.addEventListener('abort', () => this.#onAborted(controller.signal.reason));
      },
      write: async chunk => {
        if (this.#writeEnded)
          throw new MtlsError('ERR_CLIENT_CLOSED', 'The server has ended the connection.');
        await this.#writing(writer => writer.write(chunk));
      },
      close: () => this.#endWriting(),
    });
  }

  async #onReadEnd(): Promise<void> {
    this.#readEnded = true;
    if (!this.#allowHalfOpen && !this.#writeEnded) {
      this.#writeEnded = true;
      const { writer } = await this.#halves;
      // A server that has said all may take nothing more, not even our end.
      await writer.close().catch(() => {});
    }
    this.#settleIfEnded();
  }

  async #endWriting(): Promise<void> {
    if (this.#writeEnded) return;
    await this.#writing(writer => writer.close());
    this.#writeEnded = true;
    this.#settleIfEnded();
  }

  #settleIfEnded(): void {
    if (this.#readEnded && this.#writeEnded) this.#closing.resolve();
  }

  /** A failure is one of writing alone: what the server has said can still be read. */
  async #writing(act: (writer: Halves['writer']) => Promise<void>): Promise<void> {
    const { writer } = await this.#halves;
    try {
      await act(writer);
    } catch (error) {
      this.#closing.reject(error);
      throw error;
    }
  }

  #giveUp(reason: unknown): void {
    this.#fail(reason);
    this.#ahead.error(reason);
  }

  /** What was read before can still be taken. */
  #fail(reason: unknown): void {
    this.#closing.reject(reason);
    this.#abort.abort(reason);
    this.#errorWritable(reason);
  }

  /** `writable` is not told: it is being aborted, and Node fails when it is told now. */
  #onAborted(reason: unknown): void {
    this.#closing.reject(reason);
    this.#abort.abort(reason);
    this.#ahead.error(reason);
  }
}

interface Halves {
  reader: ReadableStreamDefaultReader<Uint8Array>;
  writer: WritableStreamDefaultWriter<Uint8Array>;
}

function halvesOf({ readable, writable }: TlsConnection): Halves {
  const halves = { reader: readable.getReader(), writer: writable.getWriter() };
  // What fails shows where it is read and written.
  halves.reader.closed.catch(() => {});
  halves.writer.closed.catch(() => {});
  return halves;
}

function closedError(): MtlsError {
  return new MtlsError('ERR_CLIENT_CLOSED', 'The socket has been closed.');
}
