import { readAll } from '../http/body/read-all.js';
import { checkCertificateRefusal } from '../http/certificate-refusal.js';
import type { Cookies } from '../http/cookies/cookies.js';
import { fetchError } from '../http/fetch-error.js';
import { valuesOf } from '../http/http-engine.js';
import type { Pool } from '../http/pool/pool.js';
import type { RawResponse } from '../http/raw-response.js';
import { isA, PlatformRequest, platformFetch } from '../platform.js';
import { type HostPort, serverOf } from '../util/host-port.js';
import { isStream } from './body/extract-body.js';
import { keptStream, withoutBody } from './body/kept-bodies.js';
import { acceptedCodings, decodeContent } from './decoding/content-decoding.js';
import { Decoders } from './decoding/decoders.js';
import { type FetchRequest, isLocal, readFetchRequest } from './request/fetch-request.js';
import { isRedirect, MAX_REDIRECTS, redirectError, redirected } from './request/redirect.js';
import { refererTo } from './request/referrer.js';
import { allowsCookies, usualFields } from './request/request-options.js';
import type { MtlsRequestInit } from './request-init.js';
import { reportDownload } from './response/download-progress.js';
import { checkIntegrity, noBodyToCheck } from './response/integrity.js';
import { discard, makeOpaqueRedirect, makeResponse } from './response/response.js';

/** `fetch`, with what this library adds to its `init`. */
export type MtlsFetch = (input: RequestInfo | URL, init?: MtlsRequestInit) => Promise<Response>;

export interface FetchOptions {
  decoders?: Decoders;
  /** Told which origins the caller names itself, as opposed to those that redirects lead to. */
  onAsked?: (origin: HostPort) => void;
}

/**
 * A `fetch` over the pool's connections (Fetch standard, what a page uses of it).
 *
 * It rejects as fetch does: a `TypeError`, with the `MtlsError` as `cause` and its code on both; an abort gives the
 * signal's reason. Reads of a response's body fail in the same way.
 */
export function createFetch(pool: Pool, cookies: Cookies, options: FetchOptions = {}): MtlsFetch {
  const { decoders = new Decoders(), onAsked = () => {} } = options;
  const connections: Connections = { pool, cookies, decoders, onAsked };
  return (input, init) => {
    try {
      const asked = isA(input, PlatformRequest) ? input : `${input}`;
      if (isLocal(asked)) return fetchLocal(asked, init);
      return answered(connections, readFetchRequest(asked, init));
    } catch (error) {
      // At once, as fetch does.
      return Promise.reject(error);
    }
  };
}

/** No server gets a body here, and WebKit refuses streams. */
function fetchLocal(input: RequestInfo, init?: MtlsRequestInit): Promise<Response> {
  if (isA(input, PlatformRequest) && keptStream(input))
    return fetchLocal(input.url, { ...withoutBody(input), ...init });
  return platformFetch(input, isStream(init?.body) ? { ...init, body: null } : init);
}

async function answered(
  connections: Connections,
  reading: FetchRequest | Promise<FetchRequest>,
): Promise<Response> {
  const request = await reading;
  try {
    connections.onAsked(serverOf(request.url));
    return await follow(connections, request);
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    throw fetchError(error);
  } finally {
    request.body?.release?.();
  }
}

interface Connections extends Required<FetchOptions> {
  pool: Pool;
  cookies: Cookies;
}

async function follow(connections: Connections, first: FetchRequest): Promise<Response> {
  let request = first;
  for (let redirects = 0; ; redirects++) {
    const response = await checkCertificateRefusal(await send(connections, request));
    const next = nextRequest(request, response);
    if (next === 'opaque') {
      if (request.integrity) throw noBodyToCheck();
      return makeOpaqueRedirect(request.url);
    }
    if (!next) {
      const reported = decodeContent(
        reportDownload(response, request.onDownloadProgress),
        connections.decoders,
      );
      const whole = request.integrity ? await checked(reported, request.integrity) : reported;
      return makeResponse(whole, {
        method: request.method,
        url: request.url,
        redirected: redirects > 0,
      });
    }
    if (redirects === MAX_REDIRECTS) throw redirectError(`more than ${MAX_REDIRECTS} redirects in a row`);
    request = next;
  }
}

/** The response once its whole body is known to be the right one. */
async function checked(response: RawResponse, integrity: string): Promise<RawResponse> {
  const bytes = await readAll(response.body);
  await checkIntegrity(bytes, integrity);
  return { ...response, body: new Blob([bytes]).stream(), failure: () => undefined };
}

async function send({ pool, cookies }: Connections, request: FetchRequest): Promise<RawResponse> {
  const { method, url, body, signal, onUploadProgress } = request;
  const headers = [...request.headers];
  const isGiven = (name: string) => headers.some(field => field[0] === name);
  // Of a body without a length, hyper finds the framing; no body is said to be empty where one is usual.
  const length = body ? body.length : method === 'POST' || method === 'PUT' ? 0 : undefined;
  if (length !== undefined) headers.push(['content-length', String(length)]);
  const referer = refererTo(url, request.referrer);
  if (referer !== undefined && !isGiven('referer')) headers.push(['referer', referer]);
  const withCookies = allowsCookies(request.credentials, url);
  const { clearings } = cookies;
  // What the caller says himself stands.
  const cookie = withCookies && !isGiven('cookie') ? await cookies.header(url) : undefined;
  if (cookie !== undefined) headers.push(['cookie', cookie]);
  // Parts of a coded body could not be put together.
  const codings = isGiven('range') ? 'identity' : acceptedCodings();
  const usual = usualFields(typeof codings === 'string' ? codings : await codings);
  for (const field of usual) if (!isGiven(field[0])) headers.push(field);
  const response = await pool.send({ method, url, headers, body, onUploadProgress }, signal);
  if (!withCookies) return response;
  try {
    await cookies.store(url, valuesOf(response.head, 'set-cookie'), clearings);
    return response;
  } catch (error) {
    discard(response.body);
    throw error;
  }
}

/** Where a redirect leads; its own body is let go. Undefined: this is the response. */
function nextRequest(
  request: FetchRequest,
  { head, body }: RawResponse,
): FetchRequest | 'opaque' | undefined {
  if (!isRedirect(head)) return undefined;
  if (request.redirect === 'manual') {
    discard(body);
    return 'opaque';
  }
  try {
    if (request.redirect === 'error') throw redirectError('the server redirects, and redirect is "error"');
    const next = redirected(request, head);
    if (next) discard(body);
    return next;
  } catch (error) {
    discard(body);
    throw error;
  }
}
