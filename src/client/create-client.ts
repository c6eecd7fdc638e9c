import { Authentication } from '../authentication/authentication.js';
import type { RememberedAnswer } from '../authentication/challenge.js';
import { hostMatcher } from '../authentication/remembered-answers.js';
import { loadEngine } from '../engine/load.js';
import { MtlsError } from '../errors.js';
import { ClientRequest, type MtlsRequestClass } from '../fetch/client-request.js';
import { Decoders } from '../fetch/decoders.js';
import { createFetch, type MtlsFetch } from '../fetch/fetch.js';
import { readUrl } from '../fetch/fetch-request.js';
import { trailersOf } from '../fetch/trailers.js';
import { connectionInfo, type ResponseTransport } from '../http/connection-info.js';
import { type ClientCookies, Cookies } from '../http/cookies.js';
import { HttpEngine } from '../http/http-engine.js';
import type { Connect, PlaintextStream } from '../http/plaintext-stream.js';
import { Pool } from '../http/pool.js';
import { type PoolOptions, readPoolOptions } from '../http/pool-options.js';
import { CertificateReader } from '../identity/certificate-reader.js';
import { bareHostname } from '../identity/hosts.js';
import type { Certificate } from '../identity/types.js';
import { TlsEngine } from '../tls/tls-engine.js';
import { readMaterial } from '../trust/options.js';
import { PinRules } from '../trust/pins.js';
import { type HostPort, serverOf } from '../util/host-port.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { type WebSocketOptions, WebSockets } from '../websocket/web-socket.js';
import { type ClientOptions, checkClientOptions, openTunnel } from './client-options.js';
import { type Dialed, Dialer, type DialOptions } from './dialer.js';
import { readConnectTimeout } from './handshake-timer.js';
import { ServerTrust } from './server-trust.js';
import {
  parseSocketAddress,
  parseSocketOptions,
  type Socket,
  type SocketOptions,
  TlsSocket,
} from './socket.js';

/** How a response came to the page. */
export interface ConnectionInfo extends Omit<ResponseTransport, 'serverChain'> {
  /** The server's own certificate first. Others that cannot be read are left out. */
  serverChain: Certificate[];
}

/** Options of `client.preconnect`. */
export interface PreconnectOptions {
  /** Gives it up. Default: none. */
  signal?: AbortSignal;
}

const preconnectNames: OptionNames<PreconnectOptions> = { signal: true };

/** Speaks mutual TLS with servers. */
export interface MtlsClient {
  /**
   * `fetch` over mutual TLS, for `https:` addresses; `docs/errors.md` lists its codes. It rejects with a `TypeError` whose
   * `cause` is an `MtlsError`, or with the signal's reason. `init` takes `onUploadProgress` and `onDownloadProgress` as well.
   */
  fetch: MtlsFetch;
  /**
   * A `Request` that remembers its body: `fetch` sends it with its length, or streams it, without having read it first
   * (`docs/fetch.md`). Its `init` takes the progress listeners of `fetch` as well.
   */
  readonly Request: MtlsRequestClass;
  /**
   * `WebSocket` over mutual TLS, for `wss:` addresses (`docs/websocket.md`). Its event `error` has the reason as `error`: an
   * `MtlsError`, with ERR_WEBSOCKET_…, ERR_HTTP_…, ERR_TLS_… or ERR_TUNNEL_….
   */
  readonly WebSocket: typeof globalThis.WebSocket;
  /**
   * Opens a TLS connection without HTTP, to `{ hostname, port }` or `host:port` (`docs/websocket.md`).
   *
   * @throws TypeError for a wrong argument; MtlsError ERR_CLIENT_CLOSED
   */
  connect(address: string | HostPort, options?: SocketOptions): Socket;
  /**
   * Opens the connection that the next `fetch` to an origin uses: tunnel, TLS and the client certificate, of which challenges may be asked as
   * for a request. Resolves when it stands, or when there is one already (`docs/connections.md`).
   *
   * @param origin an `https:` address, of which the path is ignored
   * @throws TypeError for another address; MtlsError ERR_CLIENT_CLOSED, ERR_TLS_…, ERR_TUNNEL_…, ERR_IDENTITY_…; the signal's reason
   */
  preconnect(origin: string | URL, options?: PreconnectOptions): Promise<void>;
  /** The cookies that `fetch` and `WebSocket` keep and send (`docs/fetch.md`). */
  readonly cookies: ClientCookies;
  /** How a response of `fetch` came here, with the byte counts as they are now. Undefined for any other response. */
  connectionInfo(response: Response): ConnectionInfo | undefined;
  /**
   * The trailers of a response of `fetch`: the fields that a server sends behind the body, such as `grpc-status`. Settles when all of the
   * body has come; so read it, or cancel it. Empty where the server sends none. A clone has the trailers of its original (`docs/fetch.md`).
   *
   * It rejects with what the body fails with, or was cancelled with; TypeError for another response.
   */
  trailers(response: Response): Promise<Headers>;
  /** The answers to challenges that hold: those of this client, and those of its store. */
  answers(): Promise<RememberedAnswer[]>;
  /**
   * Forgets what was answered for a host, for the session and for good, so that the next request asks again: what logging out
   * is where certificates log in. No connection made so far takes a new request, and no TLS session is resumed. What is in
   * progress ends in its own time; so do sockets. The host's cookies are deleted.
   *
   * @param host `host` (every port), `host:port`, or a pattern as in the control `hosts`. Default: every host.
   * @throws TypeError for what is no such pattern; MtlsError ERR_STORE_…
   */
  forget(host?: string): Promise<void>;
  /** Ends all connections, and lets the tunnel go; what is in progress fails with `ERR_CLIENT_CLOSED`. */
  close(): Promise<void>;
}

/**
 * Makes a client: loads the engine (once per page), and meanwhile opens the WebSocket to the relay.
 *
 * @throws MtlsError ERR_ENGINE_LOAD, ERR_TRUST_ROOTS_LOAD, ERR_CERT_MALFORMED (an anchor, a revocation list); TypeError for a wrong option
 */
export async function createClient(options: ClientOptions): Promise<MtlsClient> {
  checkClientOptions(options);
  const pool = readPoolOptions(options.pool);
  const cookies = new Cookies(options.cookies);
  const timeoutMs = readConnectTimeout(options.connectTimeoutMs);
  const { trust = {} } = options;
  const pins = new PinRules(trust.pins);
  const tunnel = openTunnel(options);
  try {
    const [material, module] = await Promise.all([readMaterial(trust, 'trust.'), loadEngine(options.engine)]);
    const httpEngine = HttpEngine.create(module);
    const settings = {
      ...material,
      evaluateServers: options.onChallenge !== undefined || trust.evaluate !== undefined,
      postQuantum: options.postQuantum ?? true,
      ...(options.tlsVersions && { versions: options.tlsVersions }),
    };
    const records = httpEngine.then(it => it.records);
    const [tls, http, reader] = await Promise.all([
      TlsEngine.create(module, settings, records),
      httpEngine,
      CertificateReader.create(module),
    ]);
    const authentication = new Authentication({
      identities: options.identities ?? [],
      handler: options.onChallenge,
      reader,
    });
    const serverTrust = new ServerTrust({ pins, evaluate: trust.evaluate, reader });
    const dialer = new Dialer({ tunnel, tls, authentication, serverTrust, timeoutMs });
    return new Client({
      dialer,
      authentication,
      http,
      reader,
      pool,
      cookies,
      webSocket: options.webSocket ?? {},
      decoders: new Decoders(options.decoders),
    });
  } catch (error) {
    tunnel.close?.();
    throw error;
  }
}

class Client implements MtlsClient {
  readonly fetch: MtlsFetch;
  readonly Request = ClientRequest;
  readonly WebSocket: typeof globalThis.WebSocket;
  readonly cookies: Cookies;
  #dialer: Dialer;
  #authentication: Authentication;
  #reader: CertificateReader;
  #pool: Pool;
  #sockets = new Set<Socket>();
  #webSockets: WebSockets;
  #closed = false;

  constructor(parts: {
    dialer: Dialer;
    authentication: Authentication;
    http: HttpEngine;
    reader: CertificateReader;
    pool: PoolOptions;
    cookies: Cookies;
    webSocket: WebSocketOptions;
    decoders: Decoders;
  }) {
    this.#dialer = parts.dialer;
    this.#authentication = parts.authentication;
    this.#reader = parts.reader;
    this.cookies = parts.cookies;
    const connect: Connect = async (origin, signal, alpn) => this.#dial(canonical(origin), { alpn, signal });
    const onAsked = (origin: HostPort) => this.#authentication.noteAsked(canonical(origin));
    this.#pool = new Pool(parts.http, connect, parts.pool);
    this.fetch = createFetch(this.#pool, this.cookies, { decoders: parts.decoders, onAsked });
    const connectAsAsked: Connect = (origin, signal, alpn) => {
      onAsked(origin);
      return connect(origin, signal, alpn);
    };
    this.#webSockets = new WebSockets(
      { engine: parts.http, connect: connectAsAsked, cookies: this.cookies },
      parts.webSocket,
    );
    this.WebSocket = this.#webSockets.constructorOf;
  }

  async #dial(origin: HostPort, options: DialOptions): Promise<PlaintextStream> {
    const dialed = await this.#dialer.dial(origin, { ...options, expectsData: true });
    const { authentication } = dialed;
    return {
      ...plaintextStream(dialed),
      again: (signal, alpn) => this.#dial(origin, { alpn, signal, authentication }),
    };
  }

  connect(address: string | HostPort, options?: SocketOptions): Socket {
    if (this.#closed) throw new MtlsError('ERR_CLIENT_CLOSED', 'The client has been closed.');
    const target = parseSocketAddress(address);
    const { alpn, allowHalfOpen } = parseSocketOptions(options);
    this.#authentication.noteAsked(target);
    const socket = new TlsSocket({
      address: target,
      allowHalfOpen,
      open: async signal => (await this.#dialer.dial(target, { alpn, signal })).connection,
    });
    this.#sockets.add(socket);
    const forget = () => this.#sockets.delete(socket);
    socket.closed.then(forget, forget);
    return socket;
  }

  async preconnect(origin: string | URL, options: PreconnectOptions = {}): Promise<void> {
    checkOptionNames(options, preconnectNames);
    const url = readUrl(String(origin));
    if (url.protocol !== 'https:') throw new TypeError('"origin" must be an https: address');
    options.signal?.throwIfAborted();
    this.#authentication.noteAsked(canonical(serverOf(url)));
    await this.#pool.preconnect(url, options.signal);
  }

  connectionInfo(response: Response): ConnectionInfo | undefined {
    const info = connectionInfo(response);
    return info && { ...info, serverChain: this.#reader.describeChain(info.serverChain) };
  }

  trailers(response: Response): Promise<Headers> {
    return trailersOf(response);
  }

  answers(): Promise<RememberedAnswer[]> {
    return this.#authentication.answers.list();
  }

  async forget(host?: string): Promise<void> {
    const matches = hostMatcher(host);
    const forgotten = this.#authentication.answers.forget(matches);
    this.#pool.retire(matches);
    await Promise.all([forgotten, this.cookies.clear(host)]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#dialer.close();
    this.#pool.destroy();
    this.#webSockets.close(new MtlsError('ERR_CLIENT_CLOSED', 'The client has been closed.'));
    await Promise.all(Array.from(this.#sockets, socket => socket.close()));
  }
}

/** `example.com.` of a URL is the host `example.com`. @throws TypeError */
function canonical({ hostname, port }: HostPort): HostPort {
  return { hostname: bareHostname(hostname), port };
}

function plaintextStream({ connection, timings, admission, absence }: Dialed): PlaintextStream {
  const { readable, writable, info } = connection;
  return {
    readable,
    writable,
    channel: connection,
    admission,
    info: {
      ...info,
      ...(absence !== undefined && { clientCertificateAbsence: absence }),
      timings,
      get bytesSent() {
        return connection.bytesSent;
      },
      get bytesReceived() {
        return connection.bytesReceived;
      },
    },
  };
}
