import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { isIPv6 } from 'node:net';
import {
  DEFAULT_WINDOW_BYTES,
  MAX_TOKEN_BYTES,
  MAX_WINDOW_BYTES,
  MIN_WINDOW_BYTES,
} from '../../src/tunnel/limits.js';
import { checkedInteger, checkOptionNames, MAX_TIMER_MS, type OptionNames } from '../../src/util/options.js';
import { parseOrigin } from './admission.js';
import type { RelayEvent } from './events.js';
import { parseResolverSettings, type ResolverSettings } from './policy/resolver-settings.js';
import { parseTargetRule, type TargetRule } from './policy/target-rule.js';

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
   * Targets that pages may connect to, each `host:port`: a name, `*.example.com` (every name below, at any depth), an address,
   * a network (`10.0.0.0/8:443`, `[fd00::/8]:443`) or `*`; the port a number, `8000-8099` or `*`. A name admits the private
   * addresses that it resolves to, a wildcard and `*` global ones only (`docs/tunnel.md`). Default `[]`, which allows nothing.
   */
  allow?: string[];
  /**
   * How names are looked up: `dns` asks DNS servers, after the hosts file; `system` asks `getaddrinfo`, a few names at a time
   * because lookups cannot be cancelled. Default `dns`.
   */
  resolver?: 'dns' | 'system';
  /** DNS servers for the resolver `dns`, `10.0.0.53` or `[fd00::53]:5353`. Default `[]`, the system's. */
  dnsServers?: string[];
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
  /** Bytes from a page that a connection holds while the target does not take them; 65,536 to 16,777,216, default 1,048,576. */
  windowBytes?: number;
  /** Called with what happens, for a log; it gets no payload and no token. What it throws, or its promise rejects with, is dropped. */
  log?: (event: RelayEvent) => void;
  /**
   * Called with every payload as the relay passes it on, for tests and inspection: the relay's own record of the bytes. It must not
   * change or keep them beyond the call without copying. `connection` is the number in the relay's events.
   */
  observeBytes?: (direction: RelayDirection, bytes: Uint8Array, connection: number) => void;
}

/** {@link RelayOptions}, checked, with every default in its place. */
export interface RelaySettings extends ResolverSettings {
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
  windowBytes: number;
  log: (event: RelayEvent) => void;
  observeBytes: (direction: RelayDirection, bytes: Uint8Array, connection: number) => void;
}

const names: OptionNames<RelayOptions> = {
  listen: true,
  server: true,
  path: true,
  allow: true,
  resolver: true,
  dnsServers: true,
  origins: true,
  tokens: true,
  connectTimeoutMs: true,
  helloTimeoutMs: true,
  idleTimeoutMs: true,
  pingIntervalMs: true,
  maxConnections: true,
  maxConnectionsPerAddress: true,
  windowBytes: true,
  log: true,
  observeBytes: true,
};

type IntegerOption =
  | 'connectTimeoutMs'
  | 'helloTimeoutMs'
  | 'idleTimeoutMs'
  | 'pingIntervalMs'
  | 'maxConnections'
  | 'maxConnectionsPerAddress';

export function parseRelayOptions(options: RelayOptions): RelaySettings {
  checkOptionNames(options, names);
  const { server, listen, path = '/', tokens = [], windowBytes = DEFAULT_WINDOW_BYTES } = options;
  if (server && listen !== undefined) throw new TypeError('give either listen or server, not both');
  if (!/^\/[^?#]*$/.test(path)) throw new TypeError('path must begin with a slash and have no query');
  checkedInteger('windowBytes', windowBytes, { min: MIN_WINDOW_BYTES, max: MAX_WINDOW_BYTES });
  const integer = (name: IntegerOption, usual: number, min: number) =>
    checkedInteger(name, options[name] ?? usual, { min, max: MAX_TIMER_MS });
  return {
    server,
    ...parseListen(listen ?? '127.0.0.1:0'),
    path,
    rules: (options.allow ?? []).map(parseTargetRule),
    ...parseResolverSettings(options),
    origins: (options.origins ?? []).map(parseOrigin),
    tokens: tokens.map(parseToken),
    connectTimeoutMs: integer('connectTimeoutMs', 10_000, 1),
    helloTimeoutMs: integer('helloTimeoutMs', 3000, 1),
    idleTimeoutMs: integer('idleTimeoutMs', 300_000, 0),
    pingIntervalMs: integer('pingIntervalMs', 30_000, 0),
    maxConnections: integer('maxConnections', 1000, 1),
    maxConnectionsPerAddress: integer('maxConnectionsPerAddress', 256, 1),
    windowBytes,
    log: harmless('log', options.log),
    observeBytes: harmless('observeBytes', options.observeBytes),
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
