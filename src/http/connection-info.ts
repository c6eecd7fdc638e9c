/** What the layers below HTTP know of a connection. */
export interface TransportInfo {
  tlsVersion: string;
  cipherSuite: string;
  /** The registered name of the group, e.g. `X25519MLKEM768`, which is post-quantum. */
  keyExchange: string;
  /** DER, the server's own certificate first. */
  serverChain: Uint8Array[];
  clientCertificateRequested: boolean;
  clientCertificateSent: boolean;
  /** Why the server got none although it asked, for people. */
  clientCertificateAbsence?: string;
  /** Whether the handshake resumed an earlier session. */
  resumed: boolean;
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
  return {
    protocol,
    tlsVersion: transport.tlsVersion,
    cipherSuite: transport.cipherSuite,
    keyExchange: transport.keyExchange,
    serverChain: transport.serverChain,
    clientCertificateRequested: transport.clientCertificateRequested,
    clientCertificateSent: transport.clientCertificateSent,
    ...(transport.clientCertificateAbsence !== undefined && {
      clientCertificateAbsence: transport.clientCertificateAbsence,
    }),
    resumed: transport.resumed,
    timings: { ...transport.timings, responseMs },
    bytesSent: transport.bytesSent,
    bytesReceived: transport.bytesReceived,
  };
}
