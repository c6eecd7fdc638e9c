import type { RequestBody } from '../../http/body/request-body.js';
import { baseAddress, isA, PlatformRequest } from '../../platform.js';
import { bodyOf, bodyOfRequest, checkStream, dropBody, isStream } from '../body/extract-body.js';
import { keptOf } from '../body/kept-bodies.js';
import { type MtlsRequestInit, type ProgressListeners, readProgress } from '../request-init.js';
import { type Referrer, readReferrer } from './referrer.js';
import { addCacheFields, readInit, readOptions } from './request-options.js';

/** A request as `fetch` was asked for it. */
export interface FetchRequest extends ProgressListeners {
  method: string;
  url: URL;
  headers: Headers;
  body: RequestBody | undefined;
  /** Whether cookies are sent and kept. */
  credentials: RequestCredentials;
  redirect: RequestRedirect;
  referrer: Referrer | undefined;
  /** Only the page's own origin may be asked, also by redirects. */
  sameOriginOnly: boolean;
  /** What the response's body must be; empty: anything. */
  integrity: string;
  signal: AbortSignal | undefined;
}

/** Fields that belong to the connection, not to the caller (RFC 9110 section 7.6.1, and the body's framing). */
const connectionFields = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Method names that fetch accepts in any case (Fetch standard, "normalize a method"). */
const normalised = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']);
const forbidden = new Set(['CONNECT', 'TRACE', 'TRACK']);
/** Methods that the mode "no-cors" allows. */
const simple = new Set(['GET', 'HEAD', 'POST']);

/**
 * Reads the arguments of `fetch`: all of the caller's objects before it returns. Misuse is a TypeError and an aborted signal its
 * reason, both thrown.
 */
export function readFetchRequest(
  input: Request | string,
  givenInit?: MtlsRequestInit | null,
): FetchRequest | Promise<FetchRequest> {
  const init = readInit(givenInit);
  const given = isA(input, PlatformRequest) ? input : undefined;
  const url = readUrl(addressOf(input));
  const method = readMethod(init.method ?? given?.method ?? 'GET');
  const headers = new Headers(init.headers === undefined ? given?.headers : init.headers);
  const { cache, ...options } = readOptions(given, init);
  if ((init.mode ?? given?.mode) === 'no-cors' && !simple.has(method))
    throw new TypeError(`"method" must be GET, HEAD or POST with the mode "no-cors", not ${method}`);
  const bodyless = method === 'GET' || method === 'HEAD';
  checkBody(init, bodyless && method);
  if (bodyless && given) refuseBody(given, method);
  removeConnectionFields(headers);
  const signal = (init.signal === undefined ? given?.signal : init.signal) ?? undefined;
  const progress = readProgress(given ? { ...listenersOf(given), ...init } : init);
  const referrer = readReferrer(given, init);
  if (signal?.aborted) {
    dropBody(init.body ?? given, signal.reason);
    throw signal.reason;
  }
  checkAddress(url, { sameOriginOnly: options.sameOriginOnly, cache });
  addCacheFields(headers, cache);
  const request = { method, url, headers, body: undefined, ...options, signal, referrer, ...progress };
  const body = readBody(init.body ?? undefined, { request: bodyless ? undefined : given, signal });
  return body ? withBody(request, body) : request;
}

async function withBody(
  request: FetchRequest,
  reading: RequestBody | Promise<RequestBody | undefined>,
): Promise<FetchRequest> {
  const body = await reading;
  const { headers } = request;
  if (body?.contentType && !headers.has('content-type')) headers.set('content-type', body.contentType);
  return { ...request, body };
}

function removeConnectionFields(headers: Headers): void {
  for (const name of [...headers.keys()]) {
    // The one value that h2 knows (RFC 9113 section 8.2.2), and gRPC asks for.
    const isNeedless = name === 'te' && headers.get('te')?.toLowerCase() !== 'trailers';
    if (isNeedless || connectionFields.has(name)) headers.delete(name);
  }
}

function checkBody({ body, keepalive }: MtlsRequestInit, bodyless: string | false): void {
  if (body === undefined || body === null) return;
  if (bodyless) throw new TypeError(`"body" must not be given with the method ${bodyless}`);
  if (!isStream(body)) return;
  checkStream(body);
  if (keepalive) throw new TypeError('"keepalive" must not be set with a stream as the body');
}

function refuseBody(request: Request, method: string): void {
  if (keptOf(request)?.body) throw new TypeError(`"body" must not be given with the method ${method}`);
  // Firefox does not show whether a Request has a body, but refuses this as the others do.
  new PlatformRequest(request.clone(), { method });
}

function listenersOf(request: Request): ProgressListeners {
  const { onUploadProgress, onDownloadProgress } = keptOf(request) ?? {};
  return { onUploadProgress, onDownloadProgress };
}

/** What is not asked of any server: fetch finds that out when it has looked at the signal. */
function checkAddress(
  url: URL,
  { sameOriginOnly, cache }: { sameOriginOnly: boolean; cache: RequestCache },
): void {
  if (url.protocol !== 'https:') {
    throw new TypeError(`"url" must be an https: address, not ${url.protocol}: this client speaks TLS only`);
  }
  if (sameOriginOnly && !isPageOrigin(url))
    throw new TypeError('"url" must be of the page\'s own origin with the mode "same-origin"');
  if (cache === 'only-if-cached')
    throw new TypeError('"cache" must not be "only-if-cached": nothing is cached here');
}

function readBody(
  body: BodyInit | undefined,
  { request, signal }: { request: Request | undefined; signal: AbortSignal | undefined },
): RequestBody | Promise<RequestBody | undefined> | undefined {
  if (body !== undefined) return bodyOf(body);
  return request && bodyOfRequest(request, signal);
}

/** Whether an address holds its own content (`data:`, `blob:`): the platform's fetch reads it, and no server is asked. */
export function isLocal(input: Request | string): boolean {
  return /^[\0-\x20]*(data|blob):/i.test(addressOf(input));
}

function addressOf(input: Request | string): string {
  return isA(input, PlatformRequest) ? input.url : input;
}

/** Without a page, as in Node, nothing is of its origin. */
export function isPageOrigin(url: URL): boolean {
  return url.origin === globalThis.location?.origin;
}

/** @throws TypeError for what is not an address, or has a user name or a password */
export function readUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text, baseAddress());
  } catch {
    throw new TypeError('"url" must be a valid URL');
  }
  if (url.username || url.password) throw new TypeError('"url" must not have a user name or a password');
  return url;
}

function readMethod(method: string): string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError('"method" must be a token');
  const upper = method.toUpperCase();
  if (forbidden.has(upper)) throw new TypeError(`"method" must not be ${upper}`);
  return normalised.has(upper) ? upper : method;
}
