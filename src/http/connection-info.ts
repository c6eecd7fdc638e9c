import type { TlsInfo, TlsVersion } from '../tls/types.js';

/** What the layers below HTTP know of a connection. */
export interface TransportInfo extends TlsInfo {
  /** The connection's number in its client, from 1. */
  connectionId: number;
  /** Why the server got no certificate although it asked, now or when the session was made that is resumed, for people. */
  clientCertificateAbsence?: string;
  /** How long the way to the server, and then the TLS handshake, took. */
  timings: { tunnelMs: number; handshakeMs: number };
  /** Bytes on the wire so far, all requests of the connection together. May be getters. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** How a response came to the page, with certificates as they were sent. */
export interface ResponseTransport extends Omit<TransportInfo, 'version' | 'alpn' | 'timings'> {
  tlsVersion: TlsVersion;
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
export function connectionInfo(response: Response): ResponseTransport | undefined {
  const source = sources.get(response);
  if (!source) return undefined;
  const { protocol, responseMs } = source;
  const { version, alpn: _sameAsProtocol, timings, ...transport } = source.transport;
  return { ...transport, tlsVersion: version, protocol, timings: { ...timings, responseMs } };
}
