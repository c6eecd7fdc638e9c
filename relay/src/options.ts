import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { isIPv6 } from 'node:net';
import { MAX_TOKEN_BYTES, MAX_WINDOW_BYTES, MIN_WINDOW_BYTES } from '../../src/tunnel/limits.js';
import { checkedInteger, checkOptionNames, MAX_TIMER_MS, type OptionNames } from '../../src/util/options.js';
import { parseOrigin } from './admission.js';
import type { RelayEvent } from './events.js';
import { parseTargetRule, type TargetRule } from './targets.js';

/** Which way bytes went that the relay passed on. */
export type RelayDirection = 'page-to-target' | 'target-to-page';

/** Options of `createRelay`. */
export interface RelayOptions {
  /** Where to listen, `host:port` (IPv6 in brackets); port 0 takes a free one. Default `127.0.0.1:0`. Not together with `server`. */
  listen?: string;
  /** An HTTP or HTTPS server to serve WebSockets on; starting and closing it stays with its owner. Default: one of the relay's own. */
  server?: HttpServer | HttpsServer;
  /** The path of the relay's URL, which begins with a slash. Default `/`. */
  path?: string;
  /**
   * Targets that pages may connect to: `host:port`, `*.example.com:443` (every name below, at any depth), `host:*`,
   * `[::1]:8443`, `*:443` (any host: an open relay). Names match as the page asked for them, in any case; what they resolve
   * to is not looked at. Default `[]`, which allows nothing.
   */
  allow?: string[];
  /**
   * Origins of pages that may connect, as the browser sends them (`https://app.example.com`), or `*` for all. A request without
   * Origin comes from no page: it is served when `tokens` is given or `*` is listed. Default `[]`, no page.
   */
  origins?: string[];
  /** Tokens of which the page must send one, each 1 to 4,096 bytes. Default `[]`, none asked for. */
  tokens?: string[];
  /** Milliseconds for the name lookup and the TCP connection together; 1 to 2,147,483,647, default 10,000. */
  connectTimeoutMs?: number;
  /** Milliseconds from the upgrade for the hello message to arrive; 1 to 2,147,483,647, default 3,000. */
  helloTimeoutMs?: number;
  /** Milliseconds without a byte either way after which a connection is closed; 0 never, up to 2,147,483,647, default 300,000. */
  idleTimeoutMs?: number;
  /** Milliseconds between WebSocket pings; a page that answered neither of two is gone. 0 sends none, up to 2,147,483,647, default 30,000. */
  pingIntervalMs?: number;
  /** Connections at once; 1 or more, default 1,000. */
  maxConnections?: number;
  /** Connections at once from one IP address (a proxy's, if there is one in front), refused ones included while they last; 1 or more, default 256. */
  maxConnectionsPerAddress?: number;
  /** Streams at once on one WebSocket; 1 to 65,535, default 256. */
  maxStreams?: number;
  /** Bytes from a page that a stream holds at first while its target does not take them; 65,536 to 16,777,216, default 262,144. */
  windowBytes?: number;
  /** What a stream's window grows to where the path to the page is long; `windowBytes` to 16,777,216, default 16,777,216. */
  maxWindowBytes?: number;
  /**
   * Bytes that the relay holds, all connections together: from half of it on no window grows, at it pages get no further credit;
   * 1,048,576 or more, default 268,435,456.
   */
  maxBufferedBytes?: number;
  /**
   * Milliseconds after which a page is asked to go on with another WebSocket; this one is closed when its streams have ended,
   * five minutes later at the latest. 0 never, up to 2,147,483,647, default 0.
   */
  maxSocketAgeMs?: number;
  /** Called with what happens, for a log; it gets no payload and no token. What it throws, or its promise rejects with, is dropped. */
  log?: (event: RelayEvent) => void;
  /**
   * Called with every payload as the relay passes it on, for tests and inspection: the relay's own record of the bytes. It must not
   * change or keep them beyond the call without copying. `connection` and `stream` are the numbers in the relay's events.
   */
  observeBytes?: (direction: RelayDirection, bytes: Uint8Array, connection: number, stream: number) => void;
}

/** {@link RelayOptions}, checked, with every default in its place. */
export interface RelaySettings {
  server: HttpServer | HttpsServer | undefined;
  host: string;
  port: number;
  path: string;
  rules: TargetRule[];
  origins: string[];
  tokens: string[];
  connectTimeoutMs: number;
  helloTimeoutMs: number;
  idleTimeoutMs: number;
  pingIntervalMs: number;
  maxConnections: number;
  maxConnectionsPerAddress: number;
  maxStreams: number;
  windowBytes: number;
  maxWindowBytes: number;
  maxBufferedBytes: number;
  maxSocketAgeMs: number;
  log: (event: RelayEvent) => void;
  observeBytes: (direction: RelayDirection, bytes: Uint8Array, connection: number, stream: number) => void;
}

const names: OptionNames<RelayOptions> = {
  listen: true,
  server: true,
  path: true,
  allow: true,
  origins: true,
  tokens: true,
  connectTimeoutMs: true,
  helloTimeoutMs: true,
  idleTimeoutMs: true,
  pingIntervalMs: true,
  maxConnections: true,
  maxConnectionsPerAddress: true,
  maxStreams: true,
  windowBytes: true,
  maxWindowBytes: true,
  maxBufferedBytes: true,
  maxSocketAgeMs: true,
  log: true,
  observeBytes: true,
};

type IntegerOption =
  | 'connectTimeoutMs'
  | 'helloTimeoutMs'
  | 'idleTimeoutMs'
  | 'pingIntervalMs'
  | 'maxConnections'
  | 'maxConnectionsPerAddress'
  | 'maxSocketAgeMs';

export function parseRelayOptions(options: RelayOptions): RelaySettings {
  checkOptionNames(options, names);
  const { server, listen, path = '/', tokens = [] } = options;
  if (server && listen !== undefined) throw new TypeError('give either listen or server, not both');
  if (!/^\/[^?#]*$/.test(path)) throw new TypeError('path must begin with a slash and have no query');
  const integer = (name: IntegerOption, usual: number, min: number) =>
    checkedInteger(name, options[name] ?? usual, { min, max: MAX_TIMER_MS });
  return {
    server,
    ...parseListen(listen ?? '127.0.0.1:0'),
    path,
    rules: (options.allow ?? []).map(parseTargetRule),
    origins: (options.origins ?? []).map(parseOrigin),
    tokens: tokens.map(parseToken),
    connectTimeoutMs: integer('connectTimeoutMs', 10_000, 1),
    helloTimeoutMs: integer('helloTimeoutMs', 3000, 1),
    idleTimeoutMs: integer('idleTimeoutMs', 300_000, 0),
    pingIntervalMs: integer('pingIntervalMs', 30_000, 0),
    maxConnections: integer('maxConnections', 1000, 1),
    maxConnectionsPerAddress: integer('maxConnectionsPerAddress', 256, 1),
    maxSocketAgeMs: integer('maxSocketAgeMs', 0, 0),
    maxStreams: checkedInteger('maxStreams', options.maxStreams ?? 256, { min: 1, max: 65_535 }),
    ...parseMemory(options),
    log: harmless('log', options.log),
    observeBytes: harmless('observeBytes', options.observeBytes),
  };
}

function parseMemory(options: RelayOptions) {
  const windowBytes = checkedInteger('windowBytes', options.windowBytes ?? 256 * 1024, {
    min: MIN_WINDOW_BYTES,
    max: MAX_WINDOW_BYTES,
  });
  return {
    windowBytes,
    maxWindowBytes: checkedInteger('maxWindowBytes', options.maxWindowBytes ?? MAX_WINDOW_BYTES, {
      min: windowBytes,
      max: MAX_WINDOW_BYTES,
    }),
    maxBufferedBytes: checkedInteger('maxBufferedBytes', options.maxBufferedBytes ?? 256 * 1024 * 1024, {
      min: 1024 * 1024,
      max: Number.MAX_SAFE_INTEGER,
    }),
  };
}

function parseListen(listen: string): { host: string; port: number } {
  const [, ipv6, name, portText] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listen) ?? [];
  const host = ipv6 ?? name;
  const port = Number(portText);
  if (host === undefined || port > 65535 || (ipv6 !== undefined && !isIPv6(ipv6))) {
    throw new TypeError(
      `cannot listen on ${JSON.stringify(listen)}: write host:port, as in 127.0.0.1:8080 or [::1]:8080`,
    );
  }
  return { host, port };
}

function parseToken(token: string): string {
  if (typeof token !== 'string' || token === '' || Buffer.byteLength(token) > MAX_TOKEN_BYTES) {
    throw new TypeError(`a token must be a string of 1 to ${MAX_TOKEN_BYTES} bytes`);
  }
  return token;
}

/** A callback that throws, at once or by its promise, must not end the process or the connections that it is told about. */
function harmless<Arguments extends unknown[]>(
  name: string,
  callback: ((...args: Arguments) => unknown) | undefined,
): (...args: Arguments) => void {
  if (callback === undefined) return () => {};
  if (typeof callback !== 'function') throw new TypeError(`${name} must be a function`);
  return (...args) => {
    try {
      Promise.resolve(callback(...args)).catch(() => {});
    } catch {}
  };
}
