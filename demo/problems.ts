import type { MtlsErrorCode } from 'browser-mtls';
import { h } from './dom.js';

/** An error as the page tells it. */
export interface Problem {
  code: string;
  title: string;
  advice: string;
  /** The library's own words. */
  message: string;
}

type Text = readonly [title: string, advice: string];

const UNEXPECTED: Text = ['This should not have happened', 'The browser’s console may tell more.'];

/** What the page itself finds wrong. */
type PageCode = 'ADDRESS' | 'STATUS' | 'DIFFERENT' | 'ABORTED';

/** What went wrong, and what to do about it. */
const TEXTS: Record<MtlsErrorCode | PageCode, Text> = {
  ERR_P12_PASSWORD: ['Wrong password', 'The file is still chosen: type its password again.'],
  ERR_P12_KEY_PASSWORD: [
    'The key has a separate password',
    'The file’s password is right. Type that of the key below it.',
  ],
  ERR_P12_MALFORMED: ['Damaged, or not a PKCS#12 file', 'Export the file again, or choose another.'],
  ERR_P12_UNSUPPORTED: [
    'An algorithm that this library does not know',
    'Export the file with AES-256 and SHA-256, the default of OpenSSL 3.',
  ],
  ERR_P12_TOO_EXPENSIVE: [
    'The file asks for too much work',
    'Its iteration counts would keep the browser busy for very long. Export it with fewer.',
  ],
  ERR_IDENTITY_DUPLICATE: [
    'Already here',
    'The list of identities has this certificate. Nothing was changed.',
  ],
  ERR_IDENTITY_NOT_FOUND: ['The identity is gone', 'It was deleted, maybe in another tab.'],
  ERR_IDENTITY_LOCKED: ['The identity is locked', 'Unlock it in the list of identities.'],
  ERR_IDENTITY_EXPIRED: [
    'The time of the identity is over',
    'Its control said until when it may be used. Import it again.',
  ],
  ERR_IDENTITY_NOT_ALLOWED: [
    'The identity may not go to this host',
    'Add the host to those that it may go to.',
  ],
  ERR_IDENTITY_NOT_ACCEPTED: [
    'The server does not accept this identity',
    'It wants a certificate of another authority, or another kind of key. Choose another identity.',
  ],
  ERR_IDENTITY_NO_SEALED_COPY: [
    'Its use cannot be confirmed by you',
    'That is decided when its key comes here: delete it, set the control, and import or enrol it again.',
  ],
  ERR_VERIFICATION_FAILED: ['Not confirmed', 'Its use has to be confirmed by you. Try again.'],
  ERR_VERIFICATION_UNAVAILABLE: [
    'This browser cannot ask for a confirmation',
    'Open this page with ?verification=passphrase, and import the identity again.',
  ],
  ERR_STORE_RECORD: ['An identity that cannot be read', 'Delete it, and import it again.'],
  ERR_ENROLL_UNREACHABLE: ['The authority does not answer', 'Is npm start running?'],
  ERR_ENROLL_REJECTED: ['The authority refuses', 'Its log may tell why.'],
  ERR_ENROLL_PENDING: [
    'The authority has not decided yet',
    'The key waits below, also when this page is closed. Ask again later.',
  ],
  ERR_ENROLL_UNSUPPORTED: ['This browser makes no keys of this kind', 'Choose another kind of key.'],
  ERR_ENROLL_CERTIFICATE: ['The authority gave another certificate', 'It does not belong to the key.'],
  ERR_STORE_UNAVAILABLE: [
    'The browser keeps nothing',
    'IndexedDB is not available here; a private window may be the reason.',
  ],
  ERR_STORE_QUOTA: ['No room left', 'The browser has no space for this site: free some and try again.'],
  ERR_CERT_MALFORMED: ['A certificate that cannot be read', 'Have it issued again.'],
  ERR_TRUST_ROOTS_LOAD: [
    'The list of trusted authorities did not load',
    'Reload the page. Is mozilla-roots.bin served beside the library?',
  ],
  ERR_TLS_CERT_NAME: [
    'The server’s certificate is for another name',
    'Nothing was sent. The address may be wrong, or someone is in between.',
  ],
  ERR_TLS_CERT_EXPIRED: [
    'The server’s certificate has expired',
    'Nothing was sent. Its operator must renew it.',
  ],
  ERR_TLS_CERT_NOT_YET_VALID: [
    'The server’s certificate is not valid yet',
    'Nothing was sent. Is this computer’s clock right?',
  ],
  ERR_TLS_CERT_UNTRUSTED: [
    'The server’s certificate is from a CA that is not trusted here',
    'Nothing was sent. This page trusts the demo’s own CA, and no other.',
  ],
  ERR_TLS_CERT_PURPOSE: [
    'The certificate is for another purpose',
    'Nothing was sent. A server’s must be for server authentication, a client’s for client authentication.',
  ],
  ERR_TLS_CERT_REVOKED: ['The server’s certificate is revoked', 'Nothing was sent.'],
  ERR_TLS_CERT_REVOCATION_UNKNOWN: [
    'Nobody says whether the server’s certificate is revoked',
    'Nothing was sent. What should tell it is missing or out of date; its operator can mend that.',
  ],
  ERR_TLS_PIN: ['The server’s key is not the pinned one', 'Nothing was sent.'],
  ERR_TLS_CLIENT_CERT_REQUIRED: [
    'The server wants a client certificate',
    'Import an identity, or choose one that may be sent to this host.',
  ],
  ERR_TLS_CLIENT_CERT_REJECTED: [
    'The server refused the certificate',
    'It may have expired, or its CA may be unknown there. Choose another identity.',
  ],
  ERR_TLS_CHALLENGE_CANCELLED: ['Not connected', 'You chose to send no identity and not to connect.'],
  ERR_TLS_SIGNATURE: ['The key did not sign', 'Delete the identity and import it again.'],
  ERR_TLS_SERVER_SIGNATURE: [
    'The server did not prove who it is',
    'Its signature is wrong. Do not go on; tell its administrator.',
  ],
  ERR_TLS_RENEGOTIATION: [
    'The server asks for the certificate too late',
    'It wants TLS 1.2 renegotiation. It must ask in the first handshake.',
  ],
  ERR_TLS_TIMEOUT: ['The server did not finish the handshake', 'Try again. Is this port a TLS port?'],
  ERR_TLS_TRUNCATED: ['The connection was cut', 'What arrived is not complete. Try again.'],
  ERR_TLS_ALERT: ['The server ended the handshake', 'Its log may tell why.'],
  ERR_TLS_PROTOCOL: ['The server does not speak TLS as it should', 'Is this port a TLS port?'],
  ERR_TUNNEL_DENIED: ['The relay does not pass on to this server', 'Add it to the relay’s allow-list.'],
  ERR_TUNNEL_AUTH: [
    'The relay did not accept this page',
    'Reload: the token changes when the demo is started again.',
  ],
  ERR_TUNNEL_UNREACHABLE: ['Nobody answers', 'Is the server, or the relay (npm start), running?'],
  ERR_TUNNEL_CLOSED: ['The tunnel was cut', 'The relay or the server went away. Try again.'],
  ERR_TUNNEL_RESET: ['The server broke the connection', 'Its log may tell why. Try again.'],
  ERR_TUNNEL_PROTOCOL: [
    'The relay answered in an unknown way',
    'Page and relay may be of different versions.',
  ],
  ERR_HTTP_PROTOCOL: ['The server’s answer is not HTTP as it should be', 'Its log may tell why.'],
  ERR_HTTP_TRUNCATED: ['The answer was cut', 'Less arrived than was announced. Try again.'],
  ERR_HTTP_REDIRECT: ['A redirect that was not followed', 'Ask for the final address.'],
  ERR_HTTP_CLOSED: ['The server closed the connection before it answered', 'Try again.'],
  ERR_HTTP_RESET: ['The server gave this request up', 'Its log may tell why. Try again.'],
  ERR_HTTP_TIMEOUT: ['The server has gone silent', 'The network may be down. Try again.'],
  ERR_HTTP_HEADERS_TOO_LARGE: ['The answer’s head is too large', 'The server sends more than 256 KiB of it.'],
  ERR_HTTP_BODY: ['What was to be sent could not be read', 'The request ended in the middle. Try again.'],
  ERR_HTTP_COOKIES: [
    'The part that keeps cookies did not load',
    'Reload the page; the browser’s console may tell more.',
  ],
  ERR_HTTP_DECODING: [
    'The answer is packed in a way that cannot be read',
    'It is damaged, or this browser does not know the coding.',
  ],
  ERR_HTTP_INTEGRITY: ['The answer is not the expected one', 'Its hash is another. Do not use it.'],
  ERR_WEBSOCKET_HANDSHAKE: ['The server opens no WebSocket here', 'Is this the right server and path?'],
  ERR_WEBSOCKET_PROTOCOL: ['The server does not speak WebSocket as it should', 'Its log may tell why.'],
  ERR_WEBSOCKET_TOO_LARGE: [
    'The server sent too large a message',
    'The connection was ended before it was taken in.',
  ],
  ERR_WEBSOCKET_CLOSED: ['The WebSocket was cut', 'Open it again.'],
  ERR_INSECURE_CONTEXT: ['This page is not a secure context', 'Open it over https:, or at localhost.'],
  ERR_ENGINE_LOAD: ['The TLS engine did not load', 'Reload the page; the browser’s console may tell more.'],
  ERR_ENGINE_FAILED: ['The TLS engine stopped', 'Reload the page, and please report what led to it.'],
  ERR_CLIENT_CLOSED: ['The connection was closed', 'Connect again.'],
  ADDRESS: ['Not an address', 'Give a host and a port, such as example.com:443.'],
  STATUS: ['The server did not do it', 'The path may be missing on this server.'],
  DIFFERENT: ['Not what was sent', 'The bytes that arrived are not those of the pattern.'],
  ABORTED: ['Cancelled', 'You stopped it.'],
};

/** An error of the page's own, told like those of the library. */
export class DemoError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The reason of an abort by the user. */
export function stopped(): DOMException {
  return new DOMException('stopped by hand', 'AbortError');
}

export function problemOf(error: unknown): Problem {
  const code = codeOf(error);
  const [title, advice] = isKnown(code) ? TEXTS[code] : UNEXPECTED;
  if (code === 'UNEXPECTED') console.error(error);
  return { code, title, advice, message: messageOf(error) };
}

/** For `error` in the page: says what happened, what to do, and the code to look up. */
export function problemBox(problem: Problem): HTMLElement {
  return h(
    'div',
    { class: 'problem', role: 'alert', 'data-testid': 'error', 'data-code': problem.code },
    h('p', { class: 'problem-title' }, problem.title),
    h('p', {}, problem.advice),
    h('p', { class: 'problem-detail' }, h('code', {}, problem.code), ` ${problem.message}`),
  );
}

function isKnown(code: string): code is keyof typeof TEXTS {
  return Object.hasOwn(TEXTS, code);
}

function codeOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'AbortError') return 'ABORTED';
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof Error && error.cause instanceof Error) return codeOf(error.cause);
  return 'UNEXPECTED';
}

/** `fetch` wraps the library's error in a TypeError; the inner one says more. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? messageOf(error.cause) : error.message;
}
