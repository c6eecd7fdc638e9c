import type { RememberedAnswer } from '../authentication/challenge.js';
import type { MtlsFetch } from '../fetch/fetch.js';
import type { MtlsRequestClass } from '../fetch/request/client-request.js';
import type { ResponseTransport } from '../http/connection-info.js';
import type { ClientCookies } from '../http/cookies/cookies.js';
import type { Certificate } from '../identity/types.js';
import type { HostPort } from '../util/host-port.js';
import type { Socket, SocketOptions } from './socket.js';

/** The connection on which a response arrived. */
export interface ConnectionInfo extends Omit<ResponseTransport, 'serverChain'> {
  /** The server's certificates, its own first. Certificates that cannot be read are left out. */
  serverChain: Certificate[];
}

/** Options of `client.preconnect`. */
export interface PreconnectOptions {
  /** Stops the wait: the promise rejects with the signal's reason. Default: none. */
  signal?: AbortSignal;
}

/** Speaks mutual TLS with servers. */
export interface MtlsClient {
  /**
   * `fetch` over mutual TLS, for `https:` addresses (`docs/fetch.md`). It rejects with a `TypeError` that has a `code` (`docs/errors.md`)
   * and an `MtlsError` as `cause`, or with the signal's reason. `init` also has `onUploadProgress` and `onDownloadProgress`.
   */
  fetch: MtlsFetch;
  /**
   * A `Request` that remembers its body. So `fetch` sends the body with its length, or as a stream, and does not read it beforehand
   * (`docs/fetch.md`). Its `init` also has `onUploadProgress` and `onDownloadProgress`.
   */
  readonly Request: MtlsRequestClass;
  /**
   * `WebSocket` over mutual TLS, for `wss:` addresses (`docs/websocket.md`). Its event `error` is a `WebSocketErrorEvent`. The `error` in
   * it is an `MtlsError` with the code ERR_WEBSOCKET_…, ERR_HTTP_…, ERR_TLS_… or ERR_TUNNEL_….
   */
  readonly WebSocket: typeof globalThis.WebSocket;
  /**
   * Opens a TLS connection without HTTP, to `{ hostname, port }` or `host:port` (`docs/websocket.md`).
   *
   * @throws TypeError for a wrong argument; MtlsError ERR_CLIENT_CLOSED
   */
  connect(address: string | HostPort, options?: SocketOptions): Socket;
  /**
   * Opens the connection that the next `fetch` to an origin uses: tunnel, TLS and client certificate (`docs/connections.md`). It asks the
   * same challenges as a request. Resolves when the connection is open, or at once if there is one already.
   *
   * @param origin an `https:` address; its path is ignored
   * @throws TypeError for another address; MtlsError ERR_CLIENT_CLOSED, ERR_TLS_…, ERR_TUNNEL_…, ERR_IDENTITY_…; the signal's reason
   */
  preconnect(origin: string | URL, options?: PreconnectOptions): Promise<void>;
  /** The cookies that `fetch` and `WebSocket` keep and send (`docs/fetch.md`). */
  readonly cookies: ClientCookies;
  /** The connection of a response of `fetch`, with the byte counts as they are now. Undefined for any other response. */
  connectionInfo(response: Response): ConnectionInfo | undefined;
  /**
   * The trailers of a response of `fetch`: the fields that a server sends behind the body, such as `grpc-status` (`docs/fetch.md`). The
   * promise settles when the whole body has arrived, so read the body or cancel it. The `Headers` are empty if the server sends no trailers.
   * A clone has the trailers of its original.
   *
   * It rejects with the error of the body, or with the reason of its cancellation; with a TypeError for any other response.
   */
  trailers(response: Response): Promise<Headers>;
  /** The answers to challenges that are still valid: those of this client, and the permanent ones of its store. */
  answers(): Promise<RememberedAnswer[]>;
  /**
   * Logs out: forgets all answers for a host, the permanent ones too, so that the next request asks again. No existing connection takes a
   * new request, and no TLS session is resumed. Requests in progress and open sockets continue to their end. The host's cookies are deleted.
   *
   * @param host `host` (every port), `host:port`, or a pattern as in the control `hosts`. Default: every host.
   * @throws TypeError for a malformed pattern; MtlsError ERR_STORE_…
   */
  forget(host?: string): Promise<void>;
  /** Closes all connections and the tunnel. Requests, sockets and WebSockets in progress fail with ERR_CLIENT_CLOSED. */
  close(): Promise<void>;
}
