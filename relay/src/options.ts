import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { isIPv6 } from 'node:net';
import { checkOptionNames, type OptionNames } from '../../src/util/options.js';
import { TrustedProxies } from './admission/addresses/client-address.js';
import { type Admit, byTokens } from './admission/admission.js';
import { byJwt, type JwtOptions, parseJwtOptions } from './admission/jwt/jwt.js';
import { parseOrigin } from './admission/origins.js';
import { parseTokens, type RelayToken } from './admission/tokens.js';
import type { RelayEvent } from './events.js';
import { type LimitSettings, limitNames, parseLimits, type RelayLimits } from './limits.js';
import type { Network } from './policy/addresses/ip-address.js';
import { parseNat64Prefix } from './policy/addresses/nat64.js';
import { parseResolverSettings, type ResolverSettings } from './policy/lookup/resolver-settings.js';
import { parseTargetRule, type TargetRule } from './policy/target-rule.js';

/** The direction of bytes that the relay passes on. */
export type RelayDirection = 'page-to-target' | 'target-to-page';

/** Options of `createRelay`. */
export interface RelayOptions extends RelayLimits {
  /** Where to listen, `host:port` (IPv6 in brackets); port 0 takes a free one. Default `127.0.0.1:0`. Not together with `server`. */
  listen?: string;
  /** An HTTP or HTTPS server to serve WebSockets on; starting and closing it stays with its owner. Default: one of the relay's own. */
  server?: HttpServer | HttpsServer;
  /** The path of the relay's URL, which begins with a slash. Default `/`. */
  path?: string;
  /**
   * Targets that pages may connect to, each `host:port`: a name, `*.example.com` (every name below, at any depth), an address,
   * a network (`10.0.0.0/8:443`, `[fd00::/8]:443`) or `*`; the port is a number, `8000-8099` or `*`. A name leads to private addresses
   * too, a wildcard and `*` to global ones only (`docs/tunnel.md` of `browser-mtls`). Default `[]`, which allows nothing.
   */
  allow?: string[];
  /**
   * Whether a stream must begin with a TLS ClientHello whose server name is the target's host (none if the target is an address). So
   * pages reach only TLS servers through the relay. Default `false`.
   */
  requireClientHello?: boolean;
  /**
   * How names are looked up: `dns` asks DNS servers, after the hosts file; `system` asks `getaddrinfo`, a few names at a time
   * because lookups cannot be cancelled. Default `dns`.
   */
  resolver?: 'dns' | 'system';
  /** DNS servers for the resolver `dns`, `10.0.0.53` or `[fd00::53]:5353`. Default `[]`, the system's. */
  dnsServers?: string[];
  /**
   * Prefixes of NAT64 translators in the relay's network (RFC 6052), besides `64:ff9b::/96`: addresses there have the class of the IPv4
   * address that they stand for. Default `[]`.
   */
  nat64Prefixes?: string[];
  /**
   * Origins of pages that may connect, as the browser sends them (`https://app.example.com`), or `*` for all. A request without
   * Origin does not come from a page: it is served if a token is required or `*` is listed. Default `[]`, no page.
   */
  origins?: string[];
  /** Tokens of 16 to 4,096 bytes, one of which the page must send. Default `[]`: no token is required. */
  tokens?: (string | RelayToken)[];
  /** How JSON Web Tokens are verified. Together with `tokens`, a page may send either kind. Default: none is required. */
  jwt?: JwtOptions;
  /** Proxies whose `X-Forwarded-For` or PROXY header is believed: addresses and CIDR blocks. Default `[]`. */
  trustedProxies?: string[];
  /** Connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2. Not together with `server`. Default `false`. */
  proxyProtocol?: boolean;
  /** Called with each event, for a log. Events hold no payload and no token. An error that it throws is dropped. Default: none. */
  log?: (event: RelayEvent) => void;
  /**
   * Called with every payload that the relay passes on, for tests and inspection. It must not change the bytes, and must copy them to keep
   * them. `connection` and `stream` are the numbers in the relay's events. Default: none.
   */
  observeBytes?: (direction: RelayDirection, bytes: Uint8Array, connection: number, stream: number) => void;
}

/** {@link RelayOptions}, checked, with every default in its place. */
export interface RelaySettings extends LimitSettings, ResolverSettings {
  server: HttpServer | HttpsServer | undefined;
  host: string;
  port: number;
  path: string;
  rules: TargetRule[];
  requireClientHello: boolean;
  nat64Prefixes: Network[];
  origins: string[];
  /** Ways to be admitted; empty where no token is asked for. */
  ways: Admit[];
  proxies: TrustedProxies;
  proxyProtocol: boolean;
  log: (event: RelayEvent) => void;
  observeBytes: (direction: RelayDirection, bytes: Uint8Array, connection: number, stream: number) => void;
}

const names: OptionNames<RelayOptions> = {
  ...(Object.fromEntries(limitNames.map(name => [name, true])) as OptionNames<RelayLimits>),
  listen: true,
  server: true,
  path: true,
  allow: true,
  requireClientHello: true,
  resolver: true,
  dnsServers: true,
  nat64Prefixes: true,
  origins: true,
  tokens: true,
  jwt: true,
  trustedProxies: true,
  proxyProtocol: true,
  log: true,
  observeBytes: true,
};

export function parseRelayOptions(options: RelayOptions): RelaySettings {
  checkOptionNames(options, names);
  const { server, listen, path = '/', allow = [], proxyProtocol = false } = options;
  if (server && listen !== undefined) throw new TypeError('"listen" must not come with "server"');
  if (!/^\/[^?#]*$/.test(path)) throw new TypeError('"path" must begin with a slash and have no query');
  const trustedProxies = options.trustedProxies ?? [];
  if (proxyProtocol && (server || trustedProxies.length === 0)) {
    throw new TypeError('"proxyProtocol" must come with "trustedProxies", and not with "server"');
  }
  const log = harmless('log', options.log);
  return {
    ...parseLimits(options),
    server,
    ...parseListen(listen ?? '127.0.0.1:0'),
    path,
    rules: allow.map(parseTargetRule),
    requireClientHello: options.requireClientHello ?? false,
    ...parseResolverSettings(options),
    nat64Prefixes: (options.nat64Prefixes ?? []).map(parseNat64Prefix),
    origins: (options.origins ?? []).map(parseOrigin),
    ways: parseWays(options, message => log({ type: 'error', message })),
    proxies: new TrustedProxies(trustedProxies),
    proxyProtocol,
    log,
    observeBytes: harmless('observeBytes', options.observeBytes),
  };
}

function parseWays({ tokens = [], jwt }: RelayOptions, report: (message: string) => void): Admit[] {
  const known = parseTokens(tokens);
  return [
    ...(known.length > 0 ? [byTokens(known)] : []),
    ...(jwt ? [byJwt(parseJwtOptions(jwt, report))] : []),
  ];
}

function parseListen(listen: string): { host: string; port: number } {
  const [, ipv6, name, portText] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listen) ?? [];
  const host = ipv6 ?? name;
  const port = Number(portText);
  if (host === undefined || port > 65535 || (ipv6 !== undefined && !isIPv6(ipv6))) {
    throw new TypeError(
      `"listen" must be host:port, as in 127.0.0.1:8080 or [::1]:8080, not ${JSON.stringify(listen)}`,
    );
  }
  return { host, port };
}

/** A callback that throws, at once or by its promise, must not end the process or the connections that it is told about. */
function harmless<Arguments extends unknown[]>(
  name: string,
  callback: ((...args: Arguments) => unknown) | undefined,
): (...args: Arguments) => void {
  if (callback === undefined) return () => {};
  if (typeof callback !== 'function') throw new TypeError(`"${name}" must be a function`);
  return (...args) => {
    try {
      Promise.resolve(callback(...args)).catch(() => {});
    } catch {}
  };
}
