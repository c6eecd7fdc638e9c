import { MtlsError } from '../errors.js';
import type { Cookies } from '../http/cookies/cookies.js';
import { type HttpEngine, type ResponseHead, valuesOf } from '../http/http-engine.js';
import type { Connect } from '../http/plaintext-stream.js';
import type { ObservedRequest, RequestObserver } from '../http/pool/request-observer.js';
import { type UpgradedStream, upgrade } from '../http/upgrade.js';
import { toBase64 } from '../util/encoding.js';
import { serverOf } from '../util/host-port.js';

/** What every server puts behind the key before it hashes it (RFC 6455 section 1.3). */
const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export interface HandshakeParts {
  engine: HttpEngine;
  /** Connects by TLS with the ALPN protocol `http/1.1`. */
  connect: Connect;
  cookies: Cookies;
  observer?: RequestObserver | undefined;
}

export interface HandshakeRequest {
  /** wss: */
  url: URL;
  protocols: readonly string[];
  signal: AbortSignal;
}

export interface OpenedWebSocket {
  stream: UpgradedStream;
  /** Empty: none. */
  protocol: string;
}

/**
 * The opening handshake (RFC 6455 section 4.1). No extension is offered.
 *
 * @throws MtlsError ERR_WEBSOCKET_HANDSHAKE, ERR_HTTP_…, ERR_TLS_…, ERR_TUNNEL_…; the signal's reason
 */
export async function openWebSocket(
  parts: HandshakeParts,
  request: HandshakeRequest,
): Promise<OpenedWebSocket> {
  const observed = parts.observer?.begin({ method: 'GET', url: request.url });
  try {
    const opened = await open(parts, request, observed);
    observed?.ended({ bodyBytes: 0 });
    return opened;
  } catch (error) {
    observed?.ended({ bodyBytes: 0, error });
    throw error;
  }
}

async function open(
  parts: HandshakeParts,
  { url, protocols, signal }: HandshakeRequest,
  observed: ObservedRequest | undefined,
): Promise<OpenedWebSocket> {
  const key = toBase64(crypto.getRandomValues(new Uint8Array(16)));
  const target = new URL(url.href.replace(/^wss:/, 'https:'));
  const { clearings } = parts.cookies;
  const headers = requestHeaders(target, { key, protocols, cookie: await parts.cookies.header(target) });
  const transport = await parts.connect(serverOf(target), signal, ['http/1.1']);
  target.username = '';
  target.password = '';
  const startMs = performance.now();
  const { head, stream } = await upgrade(parts.engine, transport, { url: target, headers, signal });
  const { connectionId } = transport.info;
  const responseMs = performance.now() - startMs;
  observed?.answered({ connectionId, status: head.status, protocol: 'http/1.1', responseMs });
  try {
    await parts.cookies.store(target, valuesOf(head, 'set-cookie'), clearings);
    if (!stream) throw unexpectedStatus(head.status);
    await checkAccept(head, key);
    return { stream, protocol: chosenProtocol(head, protocols) };
  } catch (error) {
    stream?.channel.abort(error);
    throw error;
  }
}

function requestHeaders(
  url: URL,
  { key, protocols, cookie }: { key: string; protocols: readonly string[]; cookie: string | undefined },
): [string, string][] {
  const { origin, navigator } = globalThis as { origin?: string; navigator?: { userAgent?: string } };
  const headers: [string, string | undefined][] = [
    ['connection', 'Upgrade'],
    ['upgrade', 'websocket'],
    ['sec-websocket-version', '13'],
    ['sec-websocket-key', key],
    ['sec-websocket-protocol', protocols.join(', ') || undefined],
    ['origin', origin],
    ['user-agent', navigator?.userAgent],
    ['pragma', 'no-cache'],
    ['cache-control', 'no-cache'],
    ['authorization', credentials(url)],
    ['cookie', cookie],
  ];
  return headers.filter((it): it is [string, string] => it[1] !== undefined);
}

function credentials({ username, password }: URL): string | undefined {
  if (!username && !password) return undefined;
  return `Basic ${btoa(`${percentDecoded(username)}:${percentDecoded(password)}`)}`;
}

/** As a string of bytes (URL standard, "percent-decode"): a lone % stays. */
function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

async function checkAccept(head: ResponseHead, key: string): Promise<void> {
  const upgrades = valuesOf(head, 'upgrade');
  if (upgrades.length !== 1 || upgrades[0]?.toLowerCase() !== 'websocket') {
    throw handshakeError('its answer has no Upgrade: websocket');
  }
  const tokens = valuesOf(head, 'connection').flatMap(it => it.split(','));
  if (!tokens.some(it => it.trim().toLowerCase() === 'upgrade')) {
    throw handshakeError('its answer has no Connection: Upgrade');
  }
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(key + KEY_SUFFIX));
  const expected = toBase64(new Uint8Array(digest));
  const accepts = valuesOf(head, 'sec-websocket-accept');
  if (accepts.length !== 1 || accepts[0] !== expected) {
    throw handshakeError('its Sec-WebSocket-Accept does not answer the key');
  }
  if (valuesOf(head, 'sec-websocket-extensions').some(it => it !== '')) {
    throw handshakeError('it uses an extension that was not offered');
  }
}

function chosenProtocol(head: ResponseHead, offered: readonly string[]): string {
  const chosen = valuesOf(head, 'sec-websocket-protocol');
  if (chosen.length === 0 && offered.length === 0) return '';
  const [protocol] = chosen;
  if (chosen.length === 1 && protocol !== undefined && offered.includes(protocol)) return protocol;
  throw handshakeError(
    chosen.length === 0 ? 'it takes none of the subprotocols' : 'it takes a subprotocol that was not offered',
  );
}

function unexpectedStatus(status: number): MtlsError {
  const redirect = status >= 300 && status < 400 ? ' A WebSocket follows no redirects.' : '';
  return new MtlsError(
    'ERR_WEBSOCKET_HANDSHAKE',
    `The server opens no WebSocket: it answered with status ${status}.${redirect}`,
  );
}

function handshakeError(fault: string): MtlsError {
  return new MtlsError('ERR_WEBSOCKET_HANDSHAKE', `The server opens no WebSocket: ${fault}.`);
}
