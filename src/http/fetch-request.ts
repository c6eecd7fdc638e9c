import type { MtlsRequestInit, OnProgress } from './progress.js';
import { bodyOf, bodyOfRequest, type RequestBody } from './request-body.js';

/** A request as `fetch` was asked for it. */
export interface FetchRequest {
  method: string;
  url: URL;
  headers: Headers;
  body: RequestBody | undefined;
  redirect: RequestRedirect;
  signal: AbortSignal | undefined;
  onUploadProgress: OnProgress | undefined;
  onDownloadProgress: OnProgress | undefined;
}

/** Fields that belong to the connection, not to the caller (RFC 9110 section 7.6.1, and the body's framing). */
const connectionFields = [
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** Method names that fetch accepts in any case (Fetch standard, "normalize a method"). */
const normalised = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']);
const forbidden = new Set(['CONNECT', 'TRACE', 'TRACK']);

/** Reads the arguments of `fetch`. The first turn reads all of the caller's objects; misuse is a TypeError. */
export async function readFetchRequest(
  input: RequestInfo | URL,
  init: MtlsRequestInit = {},
): Promise<FetchRequest> {
  const given = input instanceof Request ? input : undefined;
  const url = readUrl(given?.url ?? String(input));
  const method = readMethod(init.method ?? given?.method ?? 'GET');
  const headers = new Headers(init.headers ?? given?.headers);
  const redirect = readRedirect(init.redirect ?? given?.redirect ?? 'follow');
  if (init.integrity || given?.integrity) throw new TypeError('integrity is not supported');
  const hasBody = init.body !== undefined && init.body !== null;
  const bodyless = method === 'GET' || method === 'HEAD';
  if (bodyless && hasBody) throw new TypeError(`a ${method} request cannot have a body`);
  for (const name of connectionFields) headers.delete(name);
  const signal = (init.signal === undefined ? given?.signal : init.signal) ?? undefined;
  signal?.throwIfAborted();
  const { onUploadProgress, onDownloadProgress } = readProgress(init);
  const body = await readBody(init.body ?? undefined, bodyless ? undefined : given);
  return {
    method,
    url,
    headers: withDefaults(headers, body),
    body,
    redirect,
    signal,
    onUploadProgress,
    onDownloadProgress,
  };
}

async function readBody(
  body: BodyInit | undefined,
  request: Request | undefined,
): Promise<RequestBody | undefined> {
  if (body !== undefined) return bodyOf(body);
  return request ? bodyOfRequest(request) : undefined;
}

function withDefaults(headers: Headers, body: RequestBody | undefined): Headers {
  if (body?.contentType && !headers.has('content-type')) headers.set('content-type', body.contentType);
  if (!headers.has('accept')) headers.set('accept', '*/*');
  const userAgent = globalThis.navigator?.userAgent;
  if (userAgent && !headers.has('user-agent')) headers.set('user-agent', userAgent);
  return headers;
}

function readUrl(text: string): URL {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    throw new TypeError('the address is not a valid URL');
  }
  if (url.username || url.password)
    throw new TypeError('a URL with a user name or a password cannot be fetched');
  if (url.protocol !== 'https:') {
    throw new TypeError(
      `${url.protocol} cannot be fetched here: this client speaks TLS only, so the address must be an https: URL`,
    );
  }
  return url;
}

function readMethod(method: string): string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError('the method is not a token');
  const upper = method.toUpperCase();
  if (forbidden.has(upper)) throw new TypeError(`the method ${upper} is forbidden`);
  return normalised.has(upper) ? upper : method;
}

function readProgress({ onUploadProgress, onDownloadProgress }: MtlsRequestInit) {
  for (const listener of [onUploadProgress, onDownloadProgress]) {
    if (listener !== undefined && typeof listener !== 'function')
      throw new TypeError('onUploadProgress and onDownloadProgress are functions');
  }
  return { onUploadProgress, onDownloadProgress };
}

function readRedirect(redirect: string): RequestRedirect {
  if (redirect === 'follow' || redirect === 'manual' || redirect === 'error') return redirect;
  throw new TypeError('redirect must be follow, manual or error');
}
