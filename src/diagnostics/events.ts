import type { Challenge, Disposition } from '../authentication/challenge.js';
import type { TlsVersion } from '../tls/types.js';

/** Times are milliseconds; `startTime` counts as `performance.now()` does. */
interface Timed {
  startTime: number;
  durationMs: number;
}

/** The way to a server through the tunnel is open, or could not be opened. */
export interface ConnectionEvent extends Timed {
  type: 'connection';
  /** Its number in this client, as `ConnectionInfo.connectionId` has it. */
  connectionId: number;
  host: string;
  port: number;
  /** Why there is none: an `MtlsError`, or the reason of a signal. */
  error?: unknown;
}

/** A TLS handshake has ended. Its duration includes the time that challenges took. */
export interface HandshakeEvent extends Timed {
  type: 'handshake';
  connectionId: number;
  host: string;
  port: number;
  /** What was agreed on; absent where the handshake failed. */
  agreed?: {
    tlsVersion: TlsVersion;
    cipherSuite: string;
    keyExchange: string;
    /** Empty: none. */
    alpn: string;
    resumed: boolean;
    clientCertificateRequested: boolean;
    clientCertificateSent: boolean;
  };
  error?: unknown;
}

/** `onChallenge` has answered a challenge. */
export interface ChallengeEvent extends Timed {
  type: 'challenge';
  method: Challenge['method'];
  host: string;
  port: number;
  /** Absent where the handler threw. */
  disposition?: Disposition['disposition'];
  error?: unknown;
}

/** `fetch` sends a request, or `WebSocket` its opening handshake. Each redirect is a request of its own. */
export interface RequestEvent {
  type: 'request';
  requestId: number;
  method: string;
  /** Without credentials and fragment. */
  url: string;
  startTime: number;
}

/** An attempt to send a request has failed, and another one follows. */
export interface RetryEvent {
  type: 'retry';
  requestId: number;
  /** Until the next attempt. */
  pauseMs: number;
  /** What the attempt failed with. */
  error: unknown;
}

/** The head of a response has come. */
export interface ResponseEvent {
  type: 'response';
  requestId: number;
  connectionId: number;
  status: number;
  protocol: 'h2' | 'http/1.1';
  /** Since the request's `startTime`: with the time for a connection to be made, or to come free. */
  durationMs: number;
  /** Since the request was sent on the connection. */
  responseMs: number;
}

/** A response has come as a whole, or the request has failed. */
export interface RequestEndEvent extends Timed {
  type: 'request-end';
  requestId: number;
  /** Of the response's body, as it travelled. */
  bodyBytes: number;
  /** What it failed with, or the reason that it was given up for. */
  error?: unknown;
}

/** What a client does; `type` tells which. */
export type DiagnosticEvent =
  | ConnectionEvent
  | HandshakeEvent
  | ChallengeEvent
  | RequestEvent
  | RetryEvent
  | ResponseEvent
  | RequestEndEvent;
