import type { MtlsErrorCode } from '../../../src/index.js';
import type { KeyKind, KeyPair } from '../openssl-pki.js';

/** How one listener of a server is set up. */
export interface Setting {
  tls: 'TLSv1.2' | 'TLSv1.3';
  clientAuth: 'required' | 'optional';
  http: 'h2' | 'http/1.1';
  serverKey: KeyKind;
  /** The server's certificate, for localhost, and its key. */
  server: KeyPair;
  /** PEM of the CA of client certificates. */
  clientCa: string;
  /** Ends a connection that is idle for so long; default: the server's own. The same for all settings of a server. */
  idleSeconds?: number;
}

/**
 * A server with a listener for each setting. `GET /` answers with a text that has the client certificate's subject in it, `POST /sum`
 * with the length and the SHA-256 of the body as JSON, `GET /bytes?size=N`, beside it, with N bytes of `patternOf`, `GET /head?size=N`, there as well, with a head of
 * about N bytes.
 */
export interface RunningServers {
  /** In the order of the settings. */
  ports: number[];
  stop(): Promise<void>;
}

export interface ServerKind {
  name: string;
  /** What it speaks. */
  http: readonly Setting['http'][];
  /** The most that it puts into a response's head, if less than the client takes. */
  mostHeadBytes?: Partial<Record<Setting['http'], number>>;
  /** What a longer head is told by; default: ERR_HTTP_HEADERS_TOO_LARGE. */
  longHeadCode?: MtlsErrorCode;
  /** Where it takes a body. */
  sumPath?: string;
  /** `backendPort`: a plain HTTP server with `/` and `/sum`, for those that have to pass requests on. */
  start(settings: Setting[], backendPort: number): Promise<RunningServers>;
}
