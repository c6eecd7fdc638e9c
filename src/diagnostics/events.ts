import type { Challenge, Disposition } from '../authentication/challenge.js';
import type { TlsVersion } from '../tls/types.js';

interface Timed {
  /** When the step began, in milliseconds on the clock of `performance.now()`. */
  startTime: number;
  /** How long the step took, in milliseconds. */
  durationMs: number;
}

/** A connection of the client. */
interface Connected {
  /** The connection's number in this client, from 1, as in `ConnectionInfo.connectionId`. */
  connectionId: number;
  /** The server's host. */
  host: string;
  /** The server's TCP port. */
  port: number;
}

/** A request of the client. */
interface Requested {
  /** The request's number in this client, from 1. */
  requestId: number;
}

/** The stream to a server through the relay is open, or could not be opened. */
export interface ConnectionEvent extends Timed, Connected {
  /** Tells the kinds of events apart. */
  type: 'connection';
  /** Why the stream could not be opened: an `MtlsError`, or the reason of a signal. Absent: it is open. */
  error?: unknown;
}

/** A TLS handshake has ended. Its duration includes the time of challenges. */
export interface HandshakeEvent extends Timed, Connected {
  /** Tells the kinds of events apart. */
  type: 'handshake';
  /** The results of the handshake. Absent: it failed. */
  agreed?: {
    /** The version of TLS. */
    tlsVersion: TlsVersion;
    /** The registered name of the cipher suite, e.g. `TLS_AES_128_GCM_SHA256`. */
    cipherSuite: string;
    /** The registered name of the key exchange's group, e.g. `X25519MLKEM768`. */
    keyExchange: string;
    /** The protocol that ALPN chose. Empty: none. */
    alpn: string;
    /** Whether the handshake resumed an earlier session. */
    resumed: boolean;
    /** Whether the server asked for a client certificate. */
    clientCertificateRequested: boolean;
    /** Whether the client sent a certificate. */
    clientCertificateSent: boolean;
  };
  /** Why the handshake failed: an `MtlsError`, or the reason of a signal. Absent: it succeeded. */
  error?: unknown;
}

/** `onChallenge` has answered a challenge. */
export interface ChallengeEvent extends Timed {
  /** Tells the kinds of events apart. */
  type: 'challenge';
  /** The kind of challenge. */
  method: Challenge['method'];
  /** The server's host. */
  host: string;
  /** The server's TCP port. */
  port: number;
  /** The answer. Absent: the handler threw. */
  disposition?: Disposition['disposition'];
  /** The error that the handler threw. Absent: it answered. */
  error?: unknown;
}

/** `fetch` begins a request, or `WebSocket` its opening handshake. Each redirect is a separate request. */
export interface RequestEvent extends Requested {
  /** Tells the kinds of events apart. */
  type: 'request';
  /** The HTTP method. */
  method: string;
  /** The address, without credentials and fragment. */
  url: string;
  /** When the request began, in milliseconds on the clock of `performance.now()`. */
  startTime: number;
}

/** An attempt to send a request has failed, and another one follows. */
export interface RetryEvent extends Requested {
  /** Tells the kinds of events apart. */
  type: 'retry';
  /** The pause before the next attempt, in milliseconds. */
  pauseMs: number;
  /** The error of the failed attempt. */
  error: unknown;
}

/** The head of a response has arrived. */
export interface ResponseEvent extends Requested {
  /** Tells the kinds of events apart. */
  type: 'response';
  /** The number of the connection, as in `ConnectionInfo.connectionId`. */
  connectionId: number;
  /** The HTTP status. */
  status: number;
  /** The version of HTTP. */
  protocol: 'h2' | 'http/1.1';
  /** Milliseconds since the request's `startTime`. This includes the wait for a connection. */
  durationMs: number;
  /** Milliseconds since the request was sent on the connection. */
  responseMs: number;
}

/** The whole response has arrived, or the request has failed. */
export interface RequestEndEvent extends Timed, Requested {
  /** Tells the kinds of events apart. */
  type: 'request-end';
  /** Bytes of the response's body, before decoding. */
  bodyBytes: number;
  /** The error of the request, or the reason of its abort. Absent: the response is complete. */
  error?: unknown;
}

/** A step of a client; `type` tells which. */
export type DiagnosticEvent =
  | ConnectionEvent
  | HandshakeEvent
  | ChallengeEvent
  | RequestEvent
  | RetryEvent
  | ResponseEvent
  | RequestEndEvent;
