/**
 * Every error code of the library. What each one means, and what to do about it, is in `docs/errors.md`.
 */
export type MtlsErrorCode =
  // PKCS#12 import
  | 'ERR_P12_PASSWORD'
  | 'ERR_P12_KEY_PASSWORD'
  | 'ERR_P12_MALFORMED'
  | 'ERR_P12_UNSUPPORTED'
  | 'ERR_P12_TOO_EXPENSIVE'
  // identities and their store
  | 'ERR_IDENTITY_DUPLICATE'
  | 'ERR_IDENTITY_NOT_FOUND'
  | 'ERR_IDENTITY_LOCKED'
  | 'ERR_IDENTITY_EXPIRED'
  | 'ERR_IDENTITY_NOT_ALLOWED'
  | 'ERR_IDENTITY_NOT_ACCEPTED'
  | 'ERR_IDENTITY_NO_SEALED_COPY'
  | 'ERR_VERIFICATION_FAILED'
  | 'ERR_VERIFICATION_UNAVAILABLE'
  | 'ERR_STORE_UNAVAILABLE'
  | 'ERR_STORE_QUOTA'
  | 'ERR_STORE_RECORD'
  // enrolment
  | 'ERR_ENROLL_UNREACHABLE'
  | 'ERR_ENROLL_REJECTED'
  | 'ERR_ENROLL_PENDING'
  | 'ERR_ENROLL_CERTIFICATE'
  | 'ERR_ENROLL_UNSUPPORTED'
  // certificates
  | 'ERR_CERT_MALFORMED'
  | 'ERR_TRUST_ROOTS_LOAD'
  // TLS
  | 'ERR_TLS_CERT_NAME'
  | 'ERR_TLS_CERT_EXPIRED'
  | 'ERR_TLS_CERT_NOT_YET_VALID'
  | 'ERR_TLS_CERT_UNTRUSTED'
  | 'ERR_TLS_CERT_PURPOSE'
  | 'ERR_TLS_CERT_REVOKED'
  | 'ERR_TLS_CERT_REVOCATION_UNKNOWN'
  | 'ERR_TLS_PIN'
  | 'ERR_TLS_CLIENT_CERT_REQUIRED'
  | 'ERR_TLS_CLIENT_CERT_REJECTED'
  | 'ERR_TLS_CHALLENGE_CANCELLED'
  | 'ERR_TLS_SIGNATURE'
  | 'ERR_TLS_SERVER_SIGNATURE'
  | 'ERR_TLS_RENEGOTIATION'
  | 'ERR_TLS_TIMEOUT'
  | 'ERR_TLS_TRUNCATED'
  | 'ERR_TLS_ALERT'
  | 'ERR_TLS_PROTOCOL'
  // tunnel and relay
  | 'ERR_TUNNEL_DENIED'
  | 'ERR_TUNNEL_AUTH'
  | 'ERR_TUNNEL_UNREACHABLE'
  | 'ERR_TUNNEL_CLOSED'
  | 'ERR_TUNNEL_RESET'
  | 'ERR_TUNNEL_PROTOCOL'
  // HTTP
  | 'ERR_HTTP_PROTOCOL'
  | 'ERR_HTTP_TRUNCATED'
  | 'ERR_HTTP_REDIRECT'
  | 'ERR_HTTP_CLOSED'
  | 'ERR_HTTP_RESET'
  | 'ERR_HTTP_HEADERS_TOO_LARGE'
  | 'ERR_HTTP_BODY'
  | 'ERR_HTTP_COOKIES'
  | 'ERR_HTTP_DECODING'
  | 'ERR_HTTP_INTEGRITY'
  | 'ERR_HTTP_TIMEOUT'
  // WebSocket
  | 'ERR_WEBSOCKET_HANDSHAKE'
  | 'ERR_WEBSOCKET_PROTOCOL'
  | 'ERR_WEBSOCKET_TOO_LARGE'
  | 'ERR_WEBSOCKET_CLOSED'
  // the engine and the client themselves
  | 'ERR_INSECURE_CONTEXT'
  | 'ERR_ENGINE_LOAD'
  | 'ERR_ENGINE_FAILED'
  | 'ERR_CLIENT_CLOSED';

/**
 * The error of every failure outside the program: a file, a password, a server, the network. A wrong call is a `TypeError`.
 *
 * `code` is stable across versions, `message` is not. Neither holds a password, key bytes or plaintext.
 */
export class MtlsError extends Error {
  /** Always `MtlsError`. */
  override readonly name = 'MtlsError';
  /** What happened, as a stable code (`docs/errors.md`). */
  readonly code: MtlsErrorCode;

  /**
   * Makes an error with a code of this library.
   *
   * @param options `cause`: the underlying error. Default: none.
   */
  constructor(code: MtlsErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Where errors, and the events of WebSockets, keep what they were caused by. The last two: urql, and tus-js-client. */
const causes = ['cause', 'errors', 'error', 'networkError', 'causingError'];

/**
 * Finds the `MtlsError` in an error: the error itself, or the nearest one along `cause`, the `errors` of an AggregateError, the `error` of
 * an event, and the `networkError` or `causingError` of some libraries. Undefined: there is none.
 */
export function mtlsErrorOf(error: unknown): MtlsError | undefined {
  const found = new Set<unknown>([error]);
  // What is added meanwhile is visited as well.
  for (const it of found) {
    if (it instanceof MtlsError) return it;
    if (typeof it !== 'object' || it === null) continue;
    const links = Array.isArray(it) ? it : causes.map(name => (it as Record<string, unknown>)[name]);
    for (const link of links) found.add(link);
  }
  return undefined;
}

/**
 * Code and message of any error, for where the error itself cannot go: those of the MtlsError that caused it, otherwise its own. An
 * error without a code is told by its name: that of a DOMException is a number without a meaning.
 *
 * @internal
 */
export function describeError(error: unknown): { code: string; message: string } {
  const { code, name, message } = Object(mtlsErrorOf(error) ?? error) as Record<string, unknown>;
  return {
    code: String(typeof code === 'string' ? code : (name ?? error)),
    message: String(message ?? error),
  };
}
