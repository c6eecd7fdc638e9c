import type { RememberedAnswer } from '../authentication/challenge.js';
import type { MtlsFetch } from '../fetch/fetch.js';
import type { MtlsRequestClass } from '../fetch/request/client-request.js';
import type { ResponseTransport } from '../http/connection-info.js';
import type { ClientCookies } from '../http/cookies/cookies.js';
import type { Certificate } from '../identity/types.js';
import type { HostPort } from '../util/host-port.js';
import type { Socket, SocketOptions } from './socket.js';

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
