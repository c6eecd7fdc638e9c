import { hostMatcher } from '../authentication/answers/remembered-answers.js';
import { Authentication } from '../authentication/authentication.js';
import type { RememberedAnswer } from '../authentication/challenge.js';
import type { Diagnostics } from '../diagnostics/diagnostics.js';
import type { TrustMaterial } from '../engine/trust.js';
import { MtlsError } from '../errors.js';
import { Decoders } from '../fetch/decoding/decoders.js';
import { createFetch, type MtlsFetch } from '../fetch/fetch.js';
import { ClientRequest } from '../fetch/request/client-request.js';
import { readUrl } from '../fetch/request/fetch-request.js';
import { trailersOf } from '../fetch/response/trailers.js';
import { connectionInfo } from '../http/connection-info.js';
import type { Cookies } from '../http/cookies/cookies.js';
import { HttpEngine } from '../http/http-engine.js';
import type { Connect, PlaintextStream } from '../http/plaintext-stream.js';
import { Pool } from '../http/pool/pool.js';
import type { PoolOptions } from '../http/pool/pool-options.js';
import { CertificateReader } from '../identity/certificates/certificate-reader.js';
import { bareHostname } from '../identity/hosts.js';
import { TlsEngine } from '../tls/tls-engine.js';
import type { PinRules } from '../trust/pins.js';
import type { Tunnel } from '../tunnel/tunnel.js';
import { type HostPort, serverOf } from '../util/host-port.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { type WebSocketOptions, WebSockets } from '../websocket/web-socket.js';
import type { ClientOptions } from './client-options.js';
import { type Dialed, Dialer, type DialOptions } from './dialer.js';
import type { ConnectionInfo, MtlsClient, PreconnectOptions } from './mtls-client.js';
import type { OptionParts } from './option-parts.js';
import { ServerTrust } from './server-trust.js';
import {
  parseSocketAddress,
  parseSocketOptions,
  type Socket,
  type SocketOptions,
  TlsSocket,
} from './socket.js';
import { WarmUp } from './warm-up.js';

/** What has been checked and loaded for a client. */
interface Prepared extends OptionParts {
  tunnel: Tunnel;
  module: WebAssembly.Module;
  material: TrustMaterial;
  pool: PoolOptions;
  cookies: Cookies;
  timeoutMs: number;
  pins: PinRules;
}

/** @throws MtlsError ERR_ENGINE_LOAD, ERR_CERT_MALFORMED; TypeError for a wrong option */
export async function startClient(options: ClientOptions, prepared: Prepared): Promise<MtlsClient> {
  const { tunnel, module, material, pool, cookies, timeoutMs, pins, diagnostics, challengesOf } = prepared;
  const { trust = {}, onChallenge } = options;
  const httpEngine = HttpEngine.create(module);
  const settings = {
    ...material,
    evaluateServers: onChallenge !== undefined || trust.evaluate !== undefined,
    postQuantum: options.postQuantum ?? true,
    ...(options.tlsVersions && { versions: options.tlsVersions }),
    dangerouslyLogKeys: options.dangerouslyLogKeys,
  };
  const records = httpEngine.then(it => it.records);
  const [tls, http, reader] = await Promise.all([
    TlsEngine.create(module, settings, records),
    httpEngine,
    CertificateReader.create(module),
  ]);
  const authentication = new Authentication({
    identities: options.identities ?? [],
    challengesOf,
    reader,
  });
  const serverTrust = new ServerTrust({ pins, evaluate: trust.evaluate, reader });
  const dialer = new Dialer({ tunnel, tls, authentication, serverTrust, timeoutMs, diagnostics });
  return new Client({
    dialer,
    authentication,
    http,
    reader,
    pool,
    cookies,
    webSocket: options.webSocket ?? {},
    decoders: new Decoders(options.decoders),
    diagnostics,
    warmUp: new WarmUp(module),
  });
}

const preconnectNames: OptionNames<PreconnectOptions> = { signal: true };

class Client implements MtlsClient {
  readonly fetch: MtlsFetch;
  readonly Request = ClientRequest;
  readonly WebSocket: typeof globalThis.WebSocket;
  readonly cookies: Cookies;
  #dialer: Dialer;
  #authentication: Authentication;
  #reader: CertificateReader;
  #pool: Pool;
  #warmUp: WarmUp;
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
    diagnostics: Diagnostics | undefined;
    warmUp: WarmUp;
  }) {
    this.#warmUp = parts.warmUp;
    this.#dialer = parts.dialer;
    this.#authentication = parts.authentication;
    this.#reader = parts.reader;
    this.cookies = parts.cookies;
    const connect: Connect = async (origin, signal, alpn) => this.#dial(canonical(origin), { alpn, signal });
    let last: HostPort | undefined;
    const onAsked = (origin: HostPort) => {
      // Most requests go where the one before went.
      if (last?.hostname === origin.hostname && last.port === origin.port) return;
      this.#authentication.noteAsked(canonical(origin));
      last = origin;
    };
    this.#pool = new Pool(parts.http, connect, { ...parts.pool, observer: parts.diagnostics });
    this.fetch = createFetch(this.#pool, this.cookies, { decoders: parts.decoders, onAsked });
    const connectAsAsked: Connect = (origin, signal, alpn) => {
      onAsked(origin);
      return connect(origin, signal, alpn);
    };
    this.#webSockets = new WebSockets(
      {
        engine: parts.http,
        connect: connectAsAsked,
        cookies: this.cookies,
        observer: parts.diagnostics,
      },
      parts.webSocket,
    );
    this.WebSocket = this.#webSockets.constructorOf;
  }

  async #dial(origin: HostPort, options: DialOptions): Promise<PlaintextStream> {
    this.#warmUp.stop();
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
    this.#warmUp.stop();
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
    this.#warmUp.stop();
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

function plaintextStream({ connection, connectionId, timings, admission, absence }: Dialed): PlaintextStream {
  const { readable, writable, info } = connection;
  return {
    readable,
    writable,
    channel: connection,
    admission,
    info: {
      ...info,
      connectionId,
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
