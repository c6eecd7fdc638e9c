import type { HostPort } from '../../util/host-port.js';
import { orAborted } from '../../util/promises.js';
import { openError } from '../errors/open-error.js';
import { SUBPROTOCOL } from '../wire/limits.js';
import { askForToken, type TokenSource } from './relay-token.js';
import type { RelayedStream } from './relayed-stream.js';
import { type SocketSettings, TunnelSocket } from './tunnel-socket.js';

export interface SocketsSettings extends Omit<SocketSettings, 'token' | 'tokenRenews'> {
  token: TokenSource;
  /** The most sockets at once. */
  sockets: number;
}

/** The sockets of a tunnel: opened when needed, shared by all streams, replaced when they take no further ones. */
export class TunnelSockets {
  readonly #settings: SocketsSettings;
  readonly #sockets = new Set<TunnelSocket>();
  /** The socket that waits for its token, for all streams that wait for it. */
  #awaited: Promise<TunnelSocket> | undefined;
  /** Streams that wait for it. */
  #waiting = 0;
  /** The socket that waits was wanted ahead of its use. */
  #wantedAhead = false;

  constructor(settings: SocketsSettings) {
    this.#settings = settings;
  }

  /** Opens a socket ahead of its use. A failure is not told: the next stream tries again. */
  preopen(): void {
    this.#wantedAhead = true;
    // The next stream tells.
    if (this.#sockets.size === 0) this.#open().catch(() => {});
  }

  /** @throws MtlsError ERR_TUNNEL_…; the signal's reason */
  async connect(address: HostPort, signal: AbortSignal | undefined): Promise<RelayedStream> {
    for (;;) {
      const stream = await (await this.#socket(signal)).open(address, signal);
      if (stream) return stream;
      signal?.throwIfAborted();
    }
  }

  /** Closes each socket as soon as it has no stream. */
  close(): void {
    this.#wantedAhead = false;
    for (const socket of [...this.#sockets]) socket.retire();
  }

  async #socket(signal: AbortSignal | undefined): Promise<TunnelSocket> {
    let [least] = this.#sockets;
    for (const socket of this.#sockets) if (least && socket.load < least.load) least = socket;
    if (least && (least.load === 0 || this.#sockets.size >= this.#settings.sockets)) return least;
    this.#waiting++;
    try {
      return await orAborted(this.#open(), signal);
    } finally {
      this.#waiting--;
    }
  }

  /** @throws MtlsError ERR_TUNNEL_UNREACHABLE, ERR_TUNNEL_AUTH */
  async #open(): Promise<TunnelSocket> {
    const { token } = this.#settings;
    if (typeof token === 'string') return this.#add(token);
    this.#awaited ??= this.#openWhenTold(token).finally(() => {
      this.#awaited = undefined;
    });
    return this.#awaited;
  }

  async #openWhenTold(source: () => string | Promise<string>): Promise<TunnelSocket> {
    const socket = await this.#add(await askForToken(source, this.#settings.openTimeoutMs));
    // Nobody may want it any longer.
    if (this.#waiting === 0 && !this.#wantedAhead) socket.retire();
    this.#wantedAhead = false;
    return socket;
  }

  async #add(token: string): Promise<TunnelSocket> {
    try {
      const tokenRenews = typeof this.#settings.token === 'function';
      const settings = { ...this.#settings, token, tokenRenews };
      const socket = new TunnelSocket(settings, this.#construct(), it => this.#sockets.delete(it));
      this.#sockets.add(socket);
      return socket;
    } catch (cause) {
      throw await openError(this.#settings.url, cause);
    }
  }

  #construct(): WebSocket {
    const { url, WebSocket } = this.#settings;
    const webSocket = new WebSocket(url, [SUBPROTOCOL]);
    webSocket.binaryType = 'arraybuffer';
    return webSocket;
  }
}
