import { platformWebSocket } from '../platform.js';
import { type HostPort, withoutBrackets } from '../util/host-port.js';
import { checkedInteger, checkOptionNames, MAX_TIMER_MS, type OptionNames } from '../util/options.js';
import { CloseCode } from './close-codes.js';
import { openError } from './close-error.js';
import { encodeHello, fitsHello } from './frames.js';
import type { KeepAliveOptions } from './keep-alive.js';
import {
  DEFAULT_WINDOW_BYTES,
  MAX_TOKEN_BYTES,
  MAX_WINDOW_BYTES,
  MIN_WINDOW_BYTES,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
} from './limits.js';
import type { Tunnel, TunnelStream } from './tunnel.js';
import { openWebSocketStream } from './websocket-stream.js';

/** Options of {@link createWebSocketTunnel}. */
export interface WebSocketTunnelOptions {
  /** What the relay was started with (`--token`); at most 4,096 bytes of UTF-8. It travels in the hello message. Default: none. */
  token?: string;
  /** Bytes that a stream may hold which its consumer has not read yet; 65,536 to 16,777,216, default 1,048,576. */
  windowBytes?: number;
  /** Milliseconds that the WebSocket may take to open; 0 waits as long as the browser does, default 20,000. */
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

interface Settings {
  url: string;
  token: string;
  windowBytes: number;
  openTimeoutMs: number;
  keepAlive: KeepAliveOptions;
  WebSocket: typeof globalThis.WebSocket;
}

/**
 * Makes a tunnel through a browser-mtls relay: one WebSocket for each connection, in the format of `docs/tunnel.md`.
 *
 * `url` is the relay's address, `ws:` or `wss:`. Nothing is opened before `connect`.
 *
 * `connect` resolves when the WebSocket is open and the target named to the relay; whether the relay agrees and the target
 * answers shows on the streams. It rejects with `ERR_TUNNEL_UNREACHABLE` when no relay answers at the address. The
 * streams fail with:
 *
 * - `ERR_TUNNEL_DENIED`: the relay does not allow the target
 * - `ERR_TUNNEL_AUTH`: the relay wants another token, or does not serve the page's origin
 * - `ERR_TUNNEL_UNREACHABLE`: the target refuses, has no address or does not answer; or the relay is full
 * - `ERR_TUNNEL_RESET`: the target reset the connection
 * - `ERR_TUNNEL_CLOSED`: the relay went away, does not answer any more, or closed the connection as idle; or it was given up
 * - `ERR_TUNNEL_PROTOCOL`: what arrived is not in the format
 *
 * A `TypeError` for a wrong argument.
 */
export function createWebSocketTunnel(url: string, options: WebSocketTunnelOptions = {}): Tunnel {
  const settings = parseSettings(url, options);
  return {
    async connect(address, { signal } = {}) {
      const target = parseAddress(address);
      signal?.throwIfAborted();
      return openStream(settings, target, signal);
    },
  };
}

function openStream(
  settings: Settings,
  address: HostPort,
  signal: AbortSignal | undefined,
): Promise<TunnelStream> {
  const { url, token, windowBytes, openTimeoutMs, keepAlive } = settings;
  return new Promise((resolve, reject) => {
    const webSocket = construct(settings);
    const timer = openTimeoutMs > 0 ? setTimeout(() => fail(openError(url)), openTimeoutMs) : undefined;
    const onAbort = () => fail(signal?.reason);

    function settle(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      webSocket.onopen = null;
      webSocket.onclose = null;
    }
    function fail(reason: unknown): void {
      settle();
      webSocket.close(CloseCode.givenUp);
      reject(reason);
    }

    signal?.addEventListener('abort', onAbort);
    webSocket.onclose = () => fail(openError(url));
    webSocket.onopen = () => {
      if (webSocket.protocol !== SUBPROTOCOL) {
        fail(openError(url));
        return;
      }
      settle();
      webSocket.send(encodeHello({ version: PROTOCOL_VERSION, windowBytes, ...address, token }));
      resolve(openWebSocketStream(webSocket, { address, windowBytes, signal, keepAlive }));
    };
  });
}

function construct(settings: Settings): WebSocket {
  try {
    const webSocket = new settings.WebSocket(settings.url, [SUBPROTOCOL]);
    webSocket.binaryType = 'arraybuffer';
    // A close follows each error and says more. Outside of browsers an error that nobody hears is fatal.
    webSocket.onerror = () => {};
    return webSocket;
  } catch (cause) {
    throw openError(settings.url, cause);
  }
}

const names: OptionNames<WebSocketTunnelOptions> = {
  token: true,
  windowBytes: true,
  openTimeoutMs: true,
  keepAliveIntervalMs: true,
  keepAliveTimeoutMs: true,
  WebSocket: true,
};

function parseSettings(url: string, options: WebSocketTunnelOptions): Settings {
  checkOptionNames(options, names);
  const {
    token = '',
    windowBytes = DEFAULT_WINDOW_BYTES,
    openTimeoutMs = 20_000,
    keepAliveIntervalMs: intervalMs = 15_000,
    keepAliveTimeoutMs: timeoutMs = 30_000,
    WebSocket = platformWebSocket(),
  } = options;
  if (!URL.canParse(url) || !/^wss?:$/.test(new URL(url).protocol) || url.includes('#')) {
    throw new TypeError('"url" must be a ws: or wss: URL without a fragment');
  }
  if (typeof token !== 'string' || !fitsHello('', token)) {
    throw new TypeError(`"token" must be a string of at most ${MAX_TOKEN_BYTES} bytes`);
  }
  checkedInteger('windowBytes', windowBytes, { min: MIN_WINDOW_BYTES, max: MAX_WINDOW_BYTES });
  checkedInteger('openTimeoutMs', openTimeoutMs, { min: 0, max: MAX_TIMER_MS });
  checkedInteger('keepAliveIntervalMs', intervalMs, { min: 1_000, max: MAX_TIMER_MS, or: 0 });
  checkedInteger('keepAliveTimeoutMs', timeoutMs, { min: 1_000, max: MAX_TIMER_MS });
  if (typeof WebSocket !== 'function') {
    throw new TypeError('there is no global WebSocket here: give one as the option WebSocket');
  }
  const keepAlive = { intervalMs, timeoutMs };
  return { url, token, windowBytes, openTimeoutMs, keepAlive, WebSocket };
}

function parseAddress(address: HostPort): HostPort {
  const { port } = address;
  // `URL.hostname` has brackets around an IPv6 address.
  const hostname = withoutBrackets(address.hostname);
  if (!/^[\x21-\x7e]+$/.test(hostname) || !fitsHello(hostname, '')) {
    throw new TypeError('"hostname" must be a DNS name in ASCII (as URL.hostname gives it) or an IP address');
  }
  checkedInteger('port', port, { min: 1, max: 65_535 });
  return { hostname, port };
}
