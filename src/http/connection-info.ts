/** What the layers below HTTP know of a connection. */
export interface TransportInfo {
  /** `TLSv1.2` or `TLSv1.3`. */
  tlsVersion: string;
  /** The registered name, e.g. `TLS_AES_128_GCM_SHA256`. */
  cipherSuite: string;
  /** The registered name of the group, e.g. `X25519MLKEM768`, which is post-quantum. */
  keyExchange: string;
  /** DER, the server's own certificate first. */
  serverChain: Uint8Array[];
  clientCertificateRequested: boolean;
  clientCertificateSent: boolean;
  /** Why the server got none although it asked, now or when the session was made that is resumed, for people. */
  clientCertificateAbsence?: string;
  /** Whether the handshake resumed an earlier session. */
  resumed: boolean;
  /** How long the way to the server, and then the TLS handshake, took. */
  timings: { tunnelMs: number; handshakeMs: number };
  /** Bytes on the wire so far, all requests of the connection together. May be getters. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** How a response came to the page. */
export interface ConnectionInfo extends Omit<TransportInfo, 'timings'> {
  protocol: 'h2' | 'http/1.1';
  timings: {
    tunnelMs: number;
    handshakeMs: number;
    /** From the request's start on an established connection to the response's head. */
    responseMs: number;
  };
}

interface Source {
  transport: TransportInfo;
  protocol: 'h2' | 'http/1.1';
  responseMs: number;
}

const sources = new WeakMap<Response, Source>();

export function rememberConnection(response: Response, source: Source): void {
  sources.set(response, source);
}

/** How a response of `client.fetch` came here, with the byte counts as they are now. Undefined for any other response. */
export function connectionInfo(response: Response): ConnectionInfo | undefined {
  const source = sources.get(response);
  if (!source) return undefined;
  const { transport, protocol, responseMs } = source;
  return { ...transport, protocol, timings: { ...transport.timings, responseMs } };
}
