import type { ChallengeHandler } from '../authentication/challenge.js';
import type { DiagnosticsOptions } from '../diagnostics/diagnostics.js';
import { checkSource } from '../engine/configure.js';
import type { WasmSource } from '../engine/wasm-source.js';
import type { CookieOptions } from '../http/cookies/cookies.js';
import type { PoolOptions } from '../http/pool/pool-options.js';
import { isIdentity } from '../identity/is-identity.js';
import type { ListedIdentity } from '../identity/types.js';
import { checkedControls } from '../store/controls.js';
import type { IdentityStore } from '../store/identity-store.js';
import type { TrustOptions } from '../trust/options.js';
import type { Tunnel } from '../tunnel/tunnel.js';
import {
  openTunnel as openWebSocketTunnel,
  tunnelOptionNames,
  type WebSocketTunnelOptions,
} from '../tunnel/websocket-tunnel.js';
import { isListOf } from '../util/lists.js';
import { checkedInteger, checkOptionNames, MAX_TIMER_MS, type OptionNames } from '../util/options.js';
import type { WebSocketOptions } from '../websocket/web-socket.js';

const DEFAULT_CONNECT_TIMEOUT_MS = 30_000;

/** Options of `createClient`. Only `tunnel` is required. */
export interface ClientOptions {
  /** The relay's address (`ws:` or `wss:`), or another transport (`docs/tunnel.md`). */
  tunnel: string | Tunnel;
  /**
   * The token for the relay: one of its static tokens, or a JSON Web Token. A function is called before each WebSocket opens, so tokens
   * may expire. At most 4,096 bytes. Default: none.
   */
  tunnelToken?: string | (() => string | Promise<string>);
  /** How the tunnel to this address works (`docs/tunnel.md`). The defaults fit most uses. */
  tunnelOptions?: Omit<WebSocketTunnelOptions, 'token'>;
  /**
   * The identities that the client may show. An identity from a store goes to the hosts of its control `hosts`. An identity from a list
   * without that control goes to the origins that the page itself asks for (`fetch`, `WebSocket`, `connect`), and to none to which only
   * a redirect leads. Default: none.
   */
  identities?: IdentityStore | ListedIdentity[];
  /** Decides which identity to show, and whether to trust a server. Default: the one identity that fits, and the result of verification. */
  onChallenge?: ChallengeHandler;
  /** Which servers are trusted. Default: only those that the challenge handler accepts. */
  trust?: TrustOptions;
  /** TLS versions to offer. Default: both. */
  tlsVersions?: ('TLSv1.2' | 'TLSv1.3')[];
  /**
   * Whether to offer the post-quantum key exchange X25519MLKEM768. With `false` the client's first message fits into one TCP segment, for
   * old devices on the way. The price: a quantum computer may one day read traffic that is recorded today. Default: true.
   */
  postQuantum?: boolean;
  /**
   * How long the server may take for its part of the handshake, in milliseconds; then ERR_TLS_TIMEOUT. The time of a challenge handler
   * does not count. An integer from 1 to 2^31 - 1; default 30,000.
   */
  connectTimeoutMs?: number;
  /** Reports what the client does (`docs/diagnostics.md`). Default: nothing. */
  diagnostics?: DiagnosticsOptions;
  /**
   * Called with the secrets of every connection, as lines of an SSLKEYLOGFILE (RFC 9850). Anyone who has these lines can read everything on
   * the connections. Use it in development only. Default: none.
   */
  dangerouslyLogKeys?: (line: string) => void;
  /** How connections are kept, watched and made again (`docs/connections.md`). The defaults fit most uses. */
  pool?: PoolOptions;
  /** Limits of the client's cookies (`docs/fetch.md`). */
  cookies?: CookieOptions;
  /** Limits of `client.WebSocket` (`docs/websocket.md`). */
  webSocket?: WebSocketOptions;
  /** Where engine.wasm is. Default: found beside the module, or as given to `configure`. */
  engine?: WasmSource;
  /**
   * Where decoders.wasm is. `fetch` loads it for a body with a content coding that the platform does not decode (`docs/fetch.md`).
   * Default: found beside the module, or as given to `configure`.
   */
  decoders?: WasmSource;
}

const names: OptionNames<ClientOptions> = {
  tunnel: true,
  tunnelToken: true,
  tunnelOptions: true,
  identities: true,
  onChallenge: true,
  trust: true,
  tlsVersions: true,
  postQuantum: true,
  connectTimeoutMs: true,
  diagnostics: true,
  dangerouslyLogKeys: true,
  pool: true,
  cookies: true,
  webSocket: true,
  engine: true,
  decoders: true,
};
const trustNames: OptionNames<TrustOptions> = {
  anchors: true,
  crls: true,
  mozillaRoots: true,
  pins: true,
  evaluate: true,
};

/**
 * The mistakes that types do not catch, or JavaScript makes, told before anything is loaded. What only one part reads, that part
 * checks.
 *
 * @throws TypeError
 */
export function checkClientOptions(options: ClientOptions): void {
  const given: Partial<ClientOptions> = options ?? {};
  checkOptionNames(given, names);
  const { tunnel, identities = [], onChallenge, trust = {}, postQuantum = true, dangerouslyLogKeys } = given;
  if (typeof tunnel !== 'string' && typeof tunnel?.connect !== 'function')
    throw new TypeError('"tunnel" must be the address of a relay (ws: or wss:), or an object with connect()');
  if (Array.isArray(identities) ? !isListOf(identities, isIdentity) : typeof identities?.find !== 'function')
    throw new TypeError(
      '"identities" must be an IdentityStore, or a list of identities, as openPkcs12 returns it',
    );
  if (Array.isArray(identities)) for (const { controls } of identities) checkedControls(controls ?? {});
  if (onChallenge !== undefined && typeof onChallenge !== 'function')
    throw new TypeError('"onChallenge" must be a function');
  if (dangerouslyLogKeys !== undefined && typeof dangerouslyLogKeys !== 'function')
    throw new TypeError('"dangerouslyLogKeys" must be a function');
  if (typeof postQuantum !== 'boolean') throw new TypeError('"postQuantum" must be true or false');
  if (given.decoders !== undefined) checkSource(given.decoders, { name: 'decoders', isWasm: true });
  checkOptionNames(trust, trustNames, 'trust.');
  if (trust.evaluate !== undefined && typeof trust.evaluate !== 'function')
    throw new TypeError('"trust.evaluate" must be a function');
}

/** @throws TypeError unless it is an integer from 1 to 2^31 - 1 */
export function readConnectTimeout(value: number = DEFAULT_CONNECT_TIMEOUT_MS): number {
  return checkedInteger('connectTimeoutMs', value, { min: 1, max: MAX_TIMER_MS });
}

/** @throws TypeError for what is not an address, and for a token or options without one */
export function openTunnel({ tunnel, tunnelToken, tunnelOptions }: ClientOptions): Tunnel {
  if (typeof tunnel === 'string')
    return openWebSocketTunnel(tunnel, ownOptions(tunnelToken, tunnelOptions), argumentNames);
  if (tunnelToken !== undefined)
    throw new TypeError('"tunnelToken" must come with the address of a relay as "tunnel"');
  if (tunnelOptions !== undefined)
    throw new TypeError('"tunnelOptions" must come with the address of a relay as "tunnel"');
  return tunnel;
}

const argumentNames = { url: 'tunnel', token: 'tunnelToken', path: 'tunnelOptions.' };

function ownOptions(
  token: ClientOptions['tunnelToken'],
  options: WebSocketTunnelOptions | undefined = {},
): WebSocketTunnelOptions {
  checkOptionNames(options, tunnelOptionNames, argumentNames.path);
  if ('token' in options) throw new TypeError('"tunnelOptions.token" must be given as "tunnelToken"');
  return token === undefined ? options : { ...options, token };
}
