import type { TlsInfo, TlsVersion } from '../tls/types.js';

/** What the layers below HTTP know of a connection. */
export interface TransportInfo extends TlsInfo {
  /** The connection's number in its client, from 1. */
  connectionId: number;
  /** Why the server asked for a certificate and got none, as a sentence. In a resumed session: when the session was made. */
  clientCertificateAbsence?: string;
  /** How long the stream through the relay, and then the TLS handshake, took. */
  timings: { tunnelMs: number; handshakeMs: number };
  /** Bytes of TLS that the connection has sent so far, for all of its requests. */
  readonly bytesSent: number;
  /** Bytes of TLS that the connection has received so far, for all of its requests. */
  readonly bytesReceived: number;
}

/** How a response came to the page, with certificates as they were sent. */
export interface ResponseTransport extends Omit<TransportInfo, 'version' | 'alpn' | 'timings'> {
  /** The version of TLS that was agreed on. */
  tlsVersion: TlsVersion;
  /** The version of HTTP. */
  protocol: 'h2' | 'http/1.1';
  /** How long the steps took, in milliseconds. The first two are those of the connection, which other requests may have used before. */
  timings: {
    /** Opening the stream through the relay to the server. */
    tunnelMs: number;
    /** The TLS handshake, with the time of challenges. */
    handshakeMs: number;
    /** From the start of the request on the open connection to the response's head. */
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
export function connectionInfo(response: Response): ResponseTransport | undefined {
  const source = sources.get(response);
  if (!source) return undefined;
  const { protocol, responseMs } = source;
  const { version, alpn: _sameAsProtocol, timings, ...transport } = source.transport;
  return { ...transport, tlsVersion: version, protocol, timings: { ...timings, responseMs } };
}
