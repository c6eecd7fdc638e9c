import type { HostPort } from '../util/host-port.js';
import { SUBPROTOCOL } from './limits.js';
import { openError } from './open-error.js';
import type { RelayedStream } from './relayed-stream.js';
import { type SocketSettings, TunnelSocket } from './tunnel-socket.js';

export interface SocketsSettings extends SocketSettings {
  /** The most sockets at once. */
  sockets: number;
}

/** The sockets of a tunnel: opened when needed, shared by all streams, replaced when they take no further ones. */
export class TunnelSockets {
  readonly #settings: SocketsSettings;
  readonly #sockets = new Set<TunnelSocket>();

  constructor(settings: SocketsSettings) {
    this.#settings = settings;
  }

  /** Opens a socket ahead of its use. A failure is not told: the next stream tries again. */
  preopen(): void {
    try {
      if (this.#sockets.size === 0) this.#add();
    } catch {
      // The next stream tells.
    }
  }

  /** @throws MtlsError ERR_TUNNEL_…; the signal's reason */
  async connect(address: HostPort, signal: AbortSignal | undefined): Promise<RelayedStream> {
    for (;;) {
      const stream = await (await this.#socket()).open(address, signal);
      if (stream) return stream;
      signal?.throwIfAborted();
    }
  }

  /** Closes each socket as soon as it has no stream. */
  close(): void {
    for (const socket of [...this.#sockets]) socket.retire();
  }

  async #socket(): Promise<TunnelSocket> {
    try {
      return this.#leastLoaded();
    } catch (cause) {
      throw await openError(this.#settings.url, cause);
    }
  }

  #leastLoaded(): TunnelSocket {
    let [least] = this.#sockets;
    for (const socket of this.#sockets) if (least && socket.load < least.load) least = socket;
    if (!least || (least.load > 0 && this.#sockets.size < this.#settings.sockets)) return this.#add();
    return least;
  }

  #add(): TunnelSocket {
    const socket = new TunnelSocket(this.#settings, this.#construct(), it => this.#sockets.delete(it));
    this.#sockets.add(socket);
    return socket;
  }

  #construct(): WebSocket {
    const { url, WebSocket } = this.#settings;
    const webSocket = new WebSocket(url, [SUBPROTOCOL]);
    webSocket.binaryType = 'arraybuffer';
    // A close follows each error and says more. Outside of browsers an error that nobody hears is fatal.
    webSocket.onerror = () => {};
    return webSocket;
  }
}
