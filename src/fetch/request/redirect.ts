import { MtlsError } from '../../errors.js';
import { type ResponseHead, valuesOf } from '../../http/http-engine.js';
import { type FetchRequest, isPageOrigin } from './fetch-request.js';
import { referrerAfter } from './referrer.js';

/** Fetch standard, "HTTP-redirect fetch". */
export const MAX_REDIRECTS = 20;

const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/** Fields that describe a body, and those that only the server they were meant for may see. */
const bodyFields = ['content-encoding', 'content-language', 'content-location', 'content-type'];
const originFields = ['authorization', 'cookie', 'proxy-authorization'];

export function isRedirect({ status }: ResponseHead): boolean {
  return redirectStatuses.has(status);
}

/**
 * The request that a redirect asks for; undefined when the response names no place to go.
 *
 * @throws MtlsError ERR_HTTP_REDIRECT
 */
export function redirected(request: FetchRequest, head: ResponseHead): FetchRequest | undefined {
  const [location, ...others] = valuesOf(head, 'location');
  if (location === undefined) return undefined;
  if (others.some(it => it !== location))
    throw redirectError('the server redirects to several places at once');
  const url = readLocation(location, request.url);
  if (request.sameOriginOnly && !isPageOrigin(url))
    throw redirectError('the server redirects to another origin, and the mode is "same-origin"');
  const becomesGet =
    head.status === 303
      ? request.method !== 'GET' && request.method !== 'HEAD'
      : head.status < 303 && request.method === 'POST';
  if (head.status !== 303 && request.body && !request.body.replayable) {
    throw redirectError('the server redirects a streamed body, which cannot be sent again');
  }
  const headers = new Headers(request.headers);
  if (becomesGet) for (const name of bodyFields) headers.delete(name);
  if (url.origin !== request.url.origin) for (const name of originFields) headers.delete(name);
  return {
    ...request,
    url,
    headers,
    referrer: referrerAfter(request, head.headers),
    method: becomesGet ? 'GET' : request.method,
    body: becomesGet ? undefined : request.body,
  };
}

export function redirectError(what: string): MtlsError {
  return new MtlsError('ERR_HTTP_REDIRECT', `HTTP: ${what}.`);
}

function readLocation(location: string, base: URL): URL {
  let url: URL;
  try {
    // Its bytes beyond ASCII are taken as they are, UTF-8 or not, as in browsers.
    const ascii = location.replace(
      /[^\0-\x7f]/g,
      byte => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`,
    );
    url = new URL(ascii, base);
  } catch {
    throw redirectError('the server redirects to something that is not a URL');
  }
  if (url.protocol !== 'https:')
    throw redirectError(`the server redirects to ${url.protocol}, and only https: is followed`);
  if (url.username || url.password)
    throw redirectError('the server redirects to a URL with a user name or a password');
  if (!url.hash) url.hash = base.hash;
  return url;
}
