import { platformWebSocket } from '../platform.js';
import { type HostPort, withoutBrackets } from '../util/host-port.js';
import { checkedInteger, checkOptionNames, MAX_TIMER_MS, type OptionNames } from '../util/options.js';
import { ByteStreams } from './byte-streams.js';
import type { KeepAliveOptions } from './socket/keep-alive.js';
import { checkTokenSource } from './socket/relay-token.js';
import { type SocketsSettings, TunnelSockets } from './socket/tunnel-sockets.js';
import type { Tunnel } from './tunnel.js';
import { isHostName } from './wire/frames.js';
import { MAX_SOCKET_WINDOW_BYTES, MAX_WINDOW_BYTES, MIN_WINDOW_BYTES } from './wire/limits.js';

const MIB = 1024 * 1024;
const MAX_SOCKETS = 8;

/** Options of {@link createWebSocketTunnel}. */
export interface WebSocketTunnelOptions {
  /**
   * The token for the relay: one of its static tokens, or a JSON Web Token, of at most 4,096 bytes. A function is called before each
   * WebSocket opens, so tokens may expire. It may take `openTimeoutMs` (ERR_TUNNEL_AUTH). Default: none.
   */
  token?: string | (() => string | Promise<string>);
  /**
   * When the WebSocket to the relay opens: at once (`creation`), so that the first connection need not wait for it, or with the first
   * connection (`first-use`). If it fails to open at once, the first connection tries again. Default: `creation`.
   */
  connectAt?: 'creation' | 'first-use';
  /**
   * The most WebSockets at once. Another one is opened when all have streams, and a new stream goes to the one with the fewest. Several help
   * where packets are lost, because a lost packet delays all streams of its WebSocket. From 1 to 8; default 1.
   */
  sockets?: number;
  /** Bytes that a stream may hold before the page reads them, at first. From 65,536 to 16,777,216; default 1,048,576. */
  windowBytes?: number;
  /**
   * Bytes that `windowBytes` may grow to on a path that carries more. All streams of a WebSocket together grow by 32 MiB at most. From
   * `windowBytes` to 16,777,216; default 16,777,216.
   */
  maxWindowBytes?: number;
  /**
   * Bytes on their way to the page, of all streams of a WebSocket. The window starts at 512 KiB and grows up to this number, because bytes on
   * their way delay the bytes behind them. From 65,536 to 67,108,864; default 16,777,216.
   */
  socketWindowBytes?: number;
  /**
   * How long the WebSocket may take to open, the function `token` to return, and a stream to wait while the relay allows no more, in
   * milliseconds. From 1 to 2^31 - 1, or 0: as long as the browser waits; default 20,000.
   */
  openTimeoutMs?: number;
  /**
   * The silence after which the page sends PING to the relay, in milliseconds. So it notices a relay or a network that is gone. From 1,000 to
   * 2^31 - 1, or 0 for never; default 15,000.
   */
  keepAliveIntervalMs?: number;
  /**
   * How long the relay may take to answer, in milliseconds; then the streams fail with ERR_TUNNEL_CLOSED. From 1,000 to 2^31 - 1; default
   * 30,000.
   */
  keepAliveTimeoutMs?: number;
  /**
   * The WebSocket class to use where there is no global one, as in Node 20. Default: the platform's own, even if `globalThis.WebSocket` was
   * replaced after this module was loaded.
   */
  WebSocket?: typeof globalThis.WebSocket;
}

/** A tunnel through a relay, made by {@link createWebSocketTunnel}. */
export interface WebSocketTunnel extends Tunnel {
  /** Closes the WebSocket as soon as it has no stream. A later `connect` opens another. */
  close(): void;
}

/**
 * Makes a tunnel through a browser-mtls relay: one WebSocket with many streams, in the format of `docs/tunnel.md`.
 *
 * Several clients can share it. `connect` resolves when the WebSocket is open and the relay knows the target. It rejects with
 * ERR_TUNNEL_UNREACHABLE if no relay answers, or if the relay allows no further stream, and with ERR_TUNNEL_AUTH if the function `token` fails.
 * The streams fail with:
 *
 * - ERR_TUNNEL_DENIED: the relay does not allow the target
 * - ERR_TUNNEL_AUTH: the relay does not accept the token or the page's origin, or a static token has expired
 * - ERR_TUNNEL_UNREACHABLE: the target refuses, has no address or does not answer; or the relay is full
 * - ERR_TUNNEL_RESET: the target reset the connection
 * - ERR_TUNNEL_CLOSED: the relay is gone or silent, closed the stream as idle, or the token has expired
 * - ERR_TUNNEL_PROTOCOL: the bytes from the relay are not in the format
 *
 * @param url the relay's address, `ws:` or `wss:`
 * @throws TypeError for a wrong argument
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
