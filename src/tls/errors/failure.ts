import { type CertificateFailureKind, FailureKind, readFailureKind } from '../../engine/abi.js';
import {
  type CertificateFailureCode,
  certificateFailureCodes,
  isCertificateFailure,
} from '../../engine/trust.js';
import type { WireReader } from '../../engine/wire.js';
import { MtlsError } from '../../errors.js';
import { alertMeaning, alertName, type Offer } from './alerts.js';
import { Breach, breachWords } from './breaches.js';

export interface Failure {
  kind: FailureKind;
  /** The number of the alert, or of the breach of the protocol (`breaches.ts`); by its kind. */
  number: number;
  /** A clause; empty where kind and number say all. */
  message: string;
}

export function readFailure(reader: WireReader): Failure {
  return { kind: readFailureKind(reader.u8()), number: reader.u8(), message: reader.str() };
}

/** What had been said about a client certificate when a connection failed. */
export interface ClientCertificateState {
  requested: boolean;
  sent: boolean;
  /** Why none was sent, for people. */
  absence: string | undefined;
}

const certificateFailures: Record<CertificateFailureCode, string> = {
  ERR_TLS_CERT_NAME: "The server's certificate is for another name",
  ERR_TLS_CERT_EXPIRED: "The server's certificate or one of its issuers' has expired",
  ERR_TLS_CERT_NOT_YET_VALID: "The server's certificate is not valid yet",
  ERR_TLS_CERT_UNTRUSTED: "The server's certificate is not trusted",
  ERR_TLS_CERT_REVOKED: "The server's certificate has been revoked",
  ERR_TLS_CERT_PURPOSE: "The server's certificate is for another purpose",
  ERR_TLS_PIN: "The server's key is not the one that is pinned",
  ERR_TLS_CERT_REVOCATION_UNKNOWN: "Whether the server's certificate has been revoked cannot be told",
  ERR_CERT_MALFORMED: 'A certificate or revocation list cannot be read',
};

/** The error that a failed certificate verification is reported as. */
export function certificateError(kind: CertificateFailureKind, message: string): MtlsError {
  const code = certificateFailureCodes[kind];
  return new MtlsError(code, `${certificateFailures[code]}: ${message}.${dateAdvice(code)}`);
}

function dateAdvice(code: CertificateFailureCode): string {
  const isExpired = code === 'ERR_TLS_CERT_EXPIRED';
  if (!isExpired && code !== 'ERR_TLS_CERT_NOT_YET_VALID') return '';
  const now = new Date().toISOString().replace('T', ' ').slice(0, 19);
  return ` ${isExpired ? 'Renew it, or correct' : 'Correct'} this device's clock, which says ${now} UTC.`;
}

/** Alerts that say what is wrong with a client certificate (RFC 8446 section 6.2). */
const refusals: Record<number, string> = {
  42: 'it is damaged, or its signature is wrong',
  43: 'it is of the wrong type, or not for client authentication',
  44: 'it has been revoked',
  45: 'it has expired, or is not valid yet',
  46: 'it is not acceptable',
  47: 'its kind of key is not accepted; with TLS 1.2 its curve must be one that the key exchange may use',
  48: 'the server does not know the authority that issued it, or an intermediate certificate is missing',
  49: 'it is valid, but not allowed in',
  51: 'the signature made with its key is wrong',
};

const CERTIFICATE_REQUIRED = 116;

/** Alerts by which servers say that a certificate is missing, at any time: TLS 1.3 has one of its own, TLS 1.2 servers differ. */
const missing = new Set([40, 42, 46, 49, CERTIFICATE_REQUIRED]);

/**
 * Alerts that have nothing to do with a certificate, whenever they come: damaged or too large records, another version, a host
 * name or protocol that is not served, a handshake that was given up.
 */
const unrelated = new Set([20, 21, 22, 70, 86, 90, 112, 120]);

/** What was known of a connection when it failed. */
export interface FailedConnection {
  client: ClientCertificateState;
  seen: SeenConnection;
  offered: Offer;
}

/** The public error for a failure of the engine. */
export function tlsError(failure: Failure, connection: FailedConnection): MtlsError {
  const { kind, number, message } = failure;
  if (isCertificateFailure(kind)) return certificateError(kind, message || "the server's own");
  switch (kind) {
    case FailureKind.alert:
      return alertError(number, connection);
    case FailureKind.renegotiation:
      return renegotiationError();
    case FailureKind.handshakeSignature:
      return serverSignatureError();
    case FailureKind.protocol:
      return number === Breach.notTls
        ? noTlsError()
        : disagreement(message || breachWords(number, connection.offered.versions));
    case FailureKind.misuse:
      return disagreement(message);
  }
}

function disagreement(clause: string): MtlsError {
  return new MtlsError('ERR_TLS_PROTOCOL', `The server and this client could not agree: ${clause}.`);
}

function serverSignatureError(): MtlsError {
  return new MtlsError(
    'ERR_TLS_SERVER_SIGNATURE',
    'The server did not prove that it has the key of its certificate: its signature over the handshake is wrong. The server has the ' +
      'wrong key, or something on the way altered the handshake.',
  );
}

function noTlsError(): MtlsError {
  return new MtlsError(
    'ERR_TLS_PROTOCOL',
    'The server sent something that is not TLS. Use its port for TLS: this one may be for plain connections.',
  );
}

/** The error for a server that asks for the client certificate after the handshake, or for another handshake. */
export function renegotiationError(): MtlsError {
  return new MtlsError(
    'ERR_TLS_RENEGOTIATION',
    'The server asked for a client certificate, or for a new handshake, after the handshake: this client, like any HTTP/2 client, ' +
      'does not do that. Have the server ask during the handshake. Apache: SSLVerifyClient in the virtual host, not in a Location, ' +
      'Directory or .htaccess. IIS: netsh http update sslcert … clientcertnegotiation=enable. Python: verify_mode = CERT_REQUIRED ' +
      'or CERT_OPTIONAL, without verify_client_post_handshake. OpenSSL: SSL_VERIFY_PEER, without SSL_VERIFY_POST_HANDSHAKE.',
  );
}

function alertError(alert: number, { client, seen, offered }: FailedConnection): MtlsError {
  // Servers differ in their alerts. What follows the client's answer at once, before any data, is about that answer.
  const answersRequest = client.requested && isRightAfterHandshake(seen) && !unrelated.has(alert);
  const isMissing = answersRequest || (client.requested && missing.has(alert));
  if (alert === CERTIFICATE_REQUIRED || (isMissing && !client.sent))
    return certificateRequired(client, alertName(alert));
  if (client.sent && (answersRequest || refusals[alert])) return certificateRejected(alert);
  return new MtlsError('ERR_TLS_ALERT', `The server ended the connection: ${alertMeaning(alert, offered)}.`);
}

function certificateRejected(alert: number): MtlsError {
  const reason = refusals[alert] ?? 'it gives no other reason; its log may say more';
  return new MtlsError(
    'ERR_TLS_CLIENT_CERT_REJECTED',
    `The server refused the client certificate: ${reason} (${alertName(alert)}).`,
  );
}

function certificateRequired(client: ClientCertificateState, evidence: string): MtlsError {
  const reason = client.absence ?? 'none was given';
  return new MtlsError(
    'ERR_TLS_CLIENT_CERT_REQUIRED',
    `The server requires a client certificate, and none was sent: ${reason} (${evidence}).`,
  );
}

/** Whether the server refuses the client's certificate, or misses one. */
export function isCertificateRefusal(error: unknown): boolean {
  return error instanceof MtlsError && error.code.startsWith('ERR_TLS_CLIENT_CERT_');
}

const IN_HANDSHAKE = 'during the handshake';
/** How soon after the handshake a server hangs up that refuses the certificate, the way of the network included. */
const REFUSAL_MS = 5_000;

/** What had been seen of a connection when it ended. */
export interface SeenConnection {
  handshakeDone: boolean;
  sinceHandshakeMs: number;
  anyData: boolean;
  /** It ended in the middle of something that the server was saying. */
  midRecord: boolean;
  resumed: boolean;
  /** The bytes of the ClientHello, where nothing has been received. */
  unansweredBytes: number;
}

/**
 * The error for an end by which a server may have refused the client. Some (Node's, Bun's) just hang up on a client whose
 * certificate they don't like: an end soon after the handshake and before any data, not in the middle of a record, after a request
 * for a certificate, is told as that. A server that went away just then for another reason looks the same, so the message says what was seen.
 */
export function refusalError(
  seen: SeenConnection,
  client: ClientCertificateState,
  cause?: unknown,
): MtlsError | undefined {
  if (!client.requested || seen.midRecord || seen.resumed || !isRightAfterHandshake(seen)) return undefined;
  if (!client.sent) return certificateRequired(client, 'it hung up right after asking for one');
  return new MtlsError(
    'ERR_TLS_CLIENT_CERT_REJECTED',
    'The server hung up right after it was sent the client certificate, and gave no reason (no alert): most likely it refuses ' +
      'the certificate, but it may as well have gone away. Try once more, and look at its log.',
    { cause },
  );
}

function isRightAfterHandshake({ sinceHandshakeMs, anyData }: SeenConnection): boolean {
  return !anyData && sinceHandshakeMs <= REFUSAL_MS;
}

/** The error for a stream that ended, or broke with an error, before the handshake was complete. */
export function cutHandshakeError(cause?: unknown): unknown {
  if (cause !== undefined && !isReset(cause)) return cause;
  return ended(IN_HANDSHAKE, cause);
}

/** A server's reset is an end without close_notify. */
export function isReset(error: unknown): boolean {
  return error instanceof MtlsError && error.code === 'ERR_TUNNEL_RESET';
}

/** The error for a connection that ended without close_notify. */
export function truncationError(
  seen: SeenConnection,
  client: ClientCertificateState,
  cause?: unknown,
): MtlsError {
  const when = seen.handshakeDone ? 'without saying so (no close_notify): data may be missing' : IN_HANDSHAKE;
  if (seen.unansweredBytes > LEAST_SEGMENT_BYTES) return unansweredError(seen.unansweredBytes, cause);
  return refusalError(seen, client, cause) ?? ended(when, cause);
}

/** What a ClientHello without post-quantum keys stays below, and what fits into one TCP segment nearly everywhere. */
const LEAST_SEGMENT_BYTES = 1_200;

function unansweredError(bytes: number, cause: unknown): MtlsError {
  return new MtlsError(
    'ERR_TLS_TRUNCATED',
    `The connection ended during the handshake, before the server said anything. ${segmentsHint(bytes)} If that does not help, the ` +
      'server or what is before it refuses connections; its log may say why.',
    { cause },
  );
}

function segmentsHint(helloBytes: number): string {
  return (
    'It may be a device on the way that takes no ClientHello of more than one TCP segment: this one has ' +
    `${helloBytes} bytes, mostly post-quantum keys. createClient({ postQuantum: false }) makes it short.`
  );
}

/** A server that is silent altogether may not have got the whole ClientHello. Other reasons stay as they are. */
export function explainedTimeout(reason: unknown, { unansweredBytes }: SeenConnection): unknown {
  const isTimeout = reason instanceof MtlsError && reason.code === 'ERR_TLS_TIMEOUT';
  if (!isTimeout || unansweredBytes <= LEAST_SEGMENT_BYTES) return reason;
  const message = `${reason.message} It has said nothing at all. ${segmentsHint(unansweredBytes)}`;
  return new MtlsError(reason.code, message, { cause: reason.cause });
}

function ended(when: string, cause: unknown): MtlsError {
  return new MtlsError('ERR_TLS_TRUNCATED', `The connection ended ${when}.`, { cause });
}
