import { platformWebSocket } from '../platform.js';
import { type HostPort, withoutBrackets } from '../util/host-port.js';
import { checkedInteger, checkOptionNames, MAX_TIMER_MS, type OptionNames } from '../util/options.js';
import { ByteStreams } from './byte-streams.js';
import type { KeepAliveOptions } from './socket/keep-alive.js';
import { checkTokenSource, type TokenSource } from './socket/relay-token.js';
import { type SocketsSettings, TunnelSockets } from './socket/tunnel-sockets.js';
import type { Tunnel } from './tunnel.js';
import { isHostName } from './wire/frames.js';
import { MAX_SOCKET_WINDOW_BYTES, MAX_WINDOW_BYTES, MIN_WINDOW_BYTES } from './wire/limits.js';

const MIB = 1024 * 1024;
const MAX_SOCKETS = 8;

/** Options of {@link createWebSocketTunnel}. */
export interface WebSocketTunnelOptions {
  /**
   * What the relay admits by: one of its tokens, or a JSON Web Token; at most 4,096 bytes of UTF-8. A function is asked for each
   * WebSocket anew, so that tokens may expire; it has `openTimeoutMs` for its answer. Default: none.
   */
  token?: TokenSource;
  /**
   * When the WebSocket to the relay opens: `creation` at once, so that the first connection need not wait for it, or `first-use`.
   * Default: `creation`. A failure there is not told; the first connection tries again.
   */
  connectAt?: 'creation' | 'first-use';
  /**
   * The most WebSockets at once, 1 to 8; default 1. A further one is opened when all have streams, and a stream goes to the one with
   * the fewest. Several help where packets get lost: a lost one holds up all streams of its WebSocket.
   */
  sockets?: number;
  /** Bytes that a stream may hold at first which its consumer has not read yet; 65,536 to 16,777,216, default 1,048,576. */
  windowBytes?: number;
  /**
   * What that may grow to on a path that carries more; `windowBytes` to 16,777,216, default 16,777,216. All streams of a WebSocket
   * together grow by at most 32 MiB.
   */
  maxWindowBytes?: number;
  /**
   * Bytes of all streams together that may be on their way to the page, where the path carries so much; 65,536 to 67,108,864, default
   * 16,777,216. It begins with 512 KiB at most: what is on its way delays all that comes behind it.
   */
  socketWindowBytes?: number;
  /**
   * Milliseconds that the WebSocket may take to open, that the function `token` may take, and that a stream waits where the relay allows no more at once; 0 waits as long as
   * the browser does, default 20,000.
   */
  openTimeoutMs?: number;
  /**
   * Milliseconds of silence after which the relay is asked for a sign of life; 0 never asks, otherwise 1,000 to 2,147,483,647, default
   * 15,000. This finds out about a relay or a network that is gone, also where HTTP/1.1 waits for an answer, which has no ping.
   */
  keepAliveIntervalMs?: number;
  /** Milliseconds that the answer may take, 1,000 to 2,147,483,647, default 30,000; then the stream fails with `ERR_TUNNEL_CLOSED`. */
  keepAliveTimeoutMs?: number;
  /**
   * The WebSocket class to use, where there is no global one. Default: the platform's own, whatever has been put in its
   * place since this module was loaded.
   */
  WebSocket?: typeof globalThis.WebSocket;
}

/** What {@link createWebSocketTunnel} makes. */
export interface WebSocketTunnel extends Tunnel {
  /** Closes the WebSocket as soon as it has no stream. A later `connect` opens another. */
  close(): void;
}

/**
 * Makes a tunnel through a browser-mtls relay: one WebSocket with many streams, in the format of `docs/tunnel.md`.
 *
 * `url` is the relay's address, `ws:` or `wss:`.
 *
 * `connect` resolves when the WebSocket is open and the target named to the relay; whether the relay agrees and the target
 * answers shows on the streams. It rejects with `ERR_TUNNEL_UNREACHABLE` when no relay answers at the address, or it allows no
 * further stream, and with `ERR_TUNNEL_AUTH` when the function `token` gives none. The streams fail with:
 *
 * - `ERR_TUNNEL_DENIED`: the relay does not allow the target
 * - `ERR_TUNNEL_AUTH`: the relay wants another token, a `token` that is no function has expired, or the relay does not serve the page's origin
 * - `ERR_TUNNEL_UNREACHABLE`: the target refuses, has no address or does not answer; or the relay is full
 * - `ERR_TUNNEL_RESET`: the target reset the connection
 * - `ERR_TUNNEL_CLOSED`: the relay went away, the token expired, does not answer any more, or closed the connection as idle; or it was given up
 * - `ERR_TUNNEL_PROTOCOL`: what arrived is not in the format
 *
 * A `TypeError` for a wrong argument.
 */
export function createWebSocketTunnel(url: string, options: WebSocketTunnelOptions = {}): WebSocketTunnel {
  return openTunnel(url, options, { url: 'url', token: 'token', path: '' });
}

/** What messages call the arguments. */
export interface TunnelArgumentNames {
  url: string;
  token: string;
  /** What stands before the names of the other options. */
  path: string;
}

/** @internal */
export function openTunnel(
  url: string,
  options: WebSocketTunnelOptions,
  names: TunnelArgumentNames,
): WebSocketTunnel {
  checkOptionNames(options, tunnelOptionNames, names.path);
  const connectAt = parseConnectAt(options, names.path);
  const sockets = new TunnelSockets(parseSettings(url, options, names));
  if (connectAt === 'creation') sockets.preopen();
  return {
    async connect(address, { signal } = {}) {
      const target = parseAddress(address);
      signal?.throwIfAborted();
      return new ByteStreams(await sockets.connect(target, signal), signal);
    },
    close: () => sockets.close(),
  };
}

/** @internal */
export const tunnelOptionNames: OptionNames<WebSocketTunnelOptions> = {
  token: true,
  connectAt: true,
  sockets: true,
  windowBytes: true,
  maxWindowBytes: true,
  socketWindowBytes: true,
  openTimeoutMs: true,
  keepAliveIntervalMs: true,
  keepAliveTimeoutMs: true,
  WebSocket: true,
};

function parseSettings(
  url: string,
  options: WebSocketTunnelOptions,
  names: TunnelArgumentNames,
): SocketsSettings {
  const { path } = names;
  const { token = '', openTimeoutMs = 20_000, sockets = 1, WebSocket = platformWebSocket() } = options;
  if (!URL.canParse(url) || !/^wss?:$/.test(new URL(url).protocol) || url.includes('#'))
    throw new TypeError(`"${names.url}" must be a ws: or wss: URL without a fragment`);
  checkTokenSource(token, names.token);
  checkedInteger(`${path}openTimeoutMs`, openTimeoutMs, { min: 0, max: MAX_TIMER_MS });
  checkedInteger(`${path}sockets`, sockets, { min: 1, max: MAX_SOCKETS });
  if (typeof WebSocket !== 'function')
    throw new TypeError(`"${path}WebSocket" must be a WebSocket class, where there is no global one`);
  const keepAlive = parseKeepAlive(options, path);
  return { url, token, sockets, ...parseWindows(options, path), openTimeoutMs, keepAlive, WebSocket };
}

function parseConnectAt(
  { connectAt = 'creation' }: WebSocketTunnelOptions,
  path: string,
): 'creation' | 'first-use' {
  if (connectAt !== 'creation' && connectAt !== 'first-use')
    throw new TypeError(`"${path}connectAt" must be "creation" or "first-use"`);
  return connectAt;
}

function parseWindows(
  {
    windowBytes = MIB,
    maxWindowBytes = MAX_WINDOW_BYTES,
    socketWindowBytes = 16 * MIB,
  }: WebSocketTunnelOptions,
  path: string,
) {
  checkedInteger(`${path}windowBytes`, windowBytes, { min: MIN_WINDOW_BYTES, max: MAX_WINDOW_BYTES });
  checkedInteger(`${path}maxWindowBytes`, maxWindowBytes, { min: windowBytes, max: MAX_WINDOW_BYTES });
  const socketRange = { min: MIN_WINDOW_BYTES, max: MAX_SOCKET_WINDOW_BYTES };
  checkedInteger(`${path}socketWindowBytes`, socketWindowBytes, socketRange);
  return { windowBytes, maxWindowBytes, socketWindowBytes };
}

function parseKeepAlive(
  {
    keepAliveIntervalMs: intervalMs = 15_000,
    keepAliveTimeoutMs: timeoutMs = 30_000,
  }: WebSocketTunnelOptions,
  path: string,
): KeepAliveOptions {
  checkedInteger(`${path}keepAliveIntervalMs`, intervalMs, { min: 1_000, max: MAX_TIMER_MS, or: 0 });
  checkedInteger(`${path}keepAliveTimeoutMs`, timeoutMs, { min: 1_000, max: MAX_TIMER_MS });
  return { intervalMs, timeoutMs };
}

function parseAddress(address: HostPort): HostPort {
  const { port } = address;
  // `URL.hostname` has brackets around an IPv6 address.
  const hostname = withoutBrackets(address.hostname);
  if (!isHostName(hostname))
    throw new TypeError('"hostname" must be a DNS name in ASCII (as URL.hostname gives it) or an IP address');
  checkedInteger('port', port, { min: 1, max: 65_535 });
  return { hostname, port };
}
