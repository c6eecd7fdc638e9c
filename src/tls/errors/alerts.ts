import { MtlsError } from '../../errors.js';
import type { TlsVersion } from '../types.js';

/** What a client offered. */
export interface Offer {
  versions: readonly TlsVersion[];
  /** Names of protocols (RFC 7301). */
  alpn: readonly string[];
}

/** The alerts of RFC 8446 section 6, RFC 5246 section 7.2, RFC 6066, RFC 7301, RFC 7507 and RFC 9849. */
const names: Record<number, string> = {
  0: 'close_notify',
  10: 'unexpected_message',
  20: 'bad_record_mac',
  21: 'decryption_failed',
  22: 'record_overflow',
  30: 'decompression_failure',
  40: 'handshake_failure',
  41: 'no_certificate',
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  47: 'illegal_parameter',
  48: 'unknown_ca',
  49: 'access_denied',
  50: 'decode_error',
  51: 'decrypt_error',
  60: 'export_restriction',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  86: 'inappropriate_fallback',
  90: 'user_canceled',
  100: 'no_renegotiation',
  109: 'missing_extension',
  110: 'unsupported_extension',
  111: 'certificate_unobtainable',
  112: 'unrecognized_name',
  113: 'bad_certificate_status_response',
  114: 'bad_certificate_hash_value',
  115: 'unknown_psk_identity',
  116: 'certificate_required',
  120: 'no_application_protocol',
  121: 'ech_required',
};

/** `handshake_failure, alert 40`; of one that has no name the number alone. */
export function alertName(alert: number): string {
  const name = names[alert];
  return name === undefined ? `alert ${alert}` : `${name}, alert ${alert}`;
}

/** What alerts mean that say nothing about the client's certificate, and what to do. */
const meanings: Record<number, string> = {
  10: 'it received something at the wrong time',
  20: 'a record was damaged on its way',
  22: 'a record is too large for it',
  40:
    'it finds nothing in common with this client. Have it allow ECDHE with X25519, P-256 or P-384; AES-GCM or ' +
    'ChaCha20-Poly1305; and a certificate with an RSA, P-256, P-384 or Ed25519 key',
  47: 'it takes what was sent for wrong; its log may say more',
  50: 'it cannot read what was sent; its log may say more',
  51: 'it could not verify a signature or a key; its log may say more',
  71: 'it wants stronger algorithms than this client has',
  80: 'it failed by itself; its log may say more',
  90: 'it gave the handshake up',
  109: 'it misses an extension',
  112: 'it serves nothing under this host name',
};

const HANDSHAKE_FAILURE = 40;
const PROTOCOL_VERSION = 70;
const NO_APPLICATION_PROTOCOL = 120;

/** A clause that says what an alert means, and what to do. */
export function alertMeaning(alert: number, offered: Offer): string {
  const version = alert === HANDSHAKE_FAILURE ? `${alternative(offered.versions)}` : '';
  return `${meaningOf(alert, offered)} (${alertName(alert)})${version}`;
}

function meaningOf(alert: number, { versions, alpn }: Offer): string {
  if (alert === PROTOCOL_VERSION) return noVersion(versions);
  if (alert === NO_APPLICATION_PROTOCOL) return noProtocol(alpn);
  return meanings[alert] ?? 'its log may say more';
}

/** `fetch` offers h2 and http/1.1, a WebSocket http/1.1, a socket what its option says. */
function noProtocol(alpn: readonly string[]): string {
  if (alpn.length === 0)
    return 'it wants a protocol to be chosen by ALPN. Name one that it speaks in the option alpn of the socket';
  const names = alpn.join(', ');
  if (names === 'h2, http/1.1')
    return 'it allows neither h2 nor http/1.1 by ALPN. If it is an HTTP server, have it allow one of them';
  if (names === 'http/1.1') {
    const offered = 'it does not allow http/1.1 by ALPN, the only protocol that was offered';
    return `${offered} (a WebSocket needs it). Have it allow http/1.1 as well`;
  }
  return `it allows none of the protocols that were offered by ALPN (${names}). Name one that it speaks in the option alpn of the socket`;
}

function noVersion(offered: readonly TlsVersion[]): string {
  const [only, ...others] = offered;
  if (others.length > 0) return 'it speaks neither TLS 1.2 nor TLS 1.3. Have it allow one of them';
  return `it does not speak ${only}, which is all that the option tlsVersions allows. Allow ${otherThan(only)} there as well`;
}

/** Some servers (Java's) say handshake_failure where no version fits. */
function alternative(offered: readonly TlsVersion[]): string {
  const [only, ...others] = offered;
  if (others.length > 0) return '';
  return `. Or it does not speak ${only}: then allow ${otherThan(only)} in the option tlsVersions as well`;
}

export function otherThan(version: TlsVersion | undefined): TlsVersion {
  return version === 'TLSv1.2' ? 'TLSv1.3' : 'TLSv1.2';
}

/** The alerts by which this side ends a handshake; records and rustls have their own. */
export const SentAlert = {
  badCertificate: 42,
  certificateUnknown: 46,
  decryptError: 51,
  internalError: 80,
  userCanceled: 90,
} as const;

/** Why this side ends a handshake, as the server is told (RFC 8446 section 6). What was thrown by the page's own code is an internal error. */
export function alertFor(reason: unknown): number {
  if (!(reason instanceof MtlsError)) return SentAlert.internalError;
  const { code } = reason;
  if (code === 'ERR_CERT_MALFORMED') return SentAlert.badCertificate;
  if (code === 'ERR_TLS_SERVER_SIGNATURE') return SentAlert.decryptError;
  if (code === 'ERR_TLS_SIGNATURE') return SentAlert.internalError;
  if (code === 'ERR_TLS_PIN' || code.startsWith('ERR_TLS_CERT_')) return SentAlert.certificateUnknown;
  return SentAlert.userCanceled;
}
