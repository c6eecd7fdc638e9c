import type { Fields } from '../../http/http-engine.js';
import { isA } from '../../platform.js';
import type { MtlsRequestInit } from '../request-init.js';

/** What the enumerations of `RequestInit` may be (Fetch standard, "Request class"). */
const allowed = {
  cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'],
  credentials: ['omit', 'same-origin', 'include'],
  mode: ['cors', 'no-cors', 'same-origin'],
  priority: ['high', 'low', 'auto'],
  redirect: ['follow', 'manual', 'error'],
  referrerPolicy: [
    '',
    'no-referrer',
    'no-referrer-when-downgrade',
    'same-origin',
    'origin',
    'strict-origin',
    'origin-when-cross-origin',
    'strict-origin-when-cross-origin',
    'unsafe-url',
  ],
} as const;

const enumerations = /* @__PURE__ */ Object.keys(allowed) as (keyof typeof allowed)[];

/** Members of `RequestInit` that are texts: what is none is made one. */
const texts = new Set([...Object.keys(allowed), 'duplex', 'integrity', 'method', 'referrer']);
const others = ['body', 'headers', 'keepalive', 'onDownloadProgress', 'onUploadProgress', 'signal', 'window'];
const members = [...texts, ...others].sort();

/** Reads each member of an `init` once, as the platform does (Web IDL, "dictionary types"). Misuse is a TypeError. */
export function readInit(init: MtlsRequestInit | null | undefined): MtlsRequestInit {
  if (init === undefined || init === null) return {};
  if (typeof init !== 'object' && typeof init !== 'function') throw new TypeError('"init" must be an object');
  const given = init as Record<string, unknown>;
  const read: Record<string, unknown> = {};
  for (const name of members) {
    const value = given[name];
    if (value !== undefined) read[name] = texts.has(name) ? `${value}` : value;
  }
  const { signal } = read;
  if (signal !== undefined && signal !== null && !isA(signal, AbortSignal))
    throw new TypeError('"signal" must be an AbortSignal');
  return read;
}

export interface RequestOptions {
  cache: RequestCache;
  credentials: RequestCredentials;
  redirect: RequestRedirect;
  sameOriginOnly: boolean;
  integrity: string;
}

/** Fields that make a request conditional: the caller has a cache of his own. */
const conditionalFields = [
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
  'if-match',
  'if-range',
];

/** Checks the options that are no body, headers, method or address. Misuse is a TypeError, as in fetch. */
export function readOptions(request: Request | undefined, init: MtlsRequestInit): RequestOptions {
  for (const name of enumerations) {
    const value = init[name];
    const values: readonly string[] = allowed[name];
    if (value !== undefined && !values.includes(value))
      throw new TypeError(`"${name}" must be one of ${values.map(it => `"${it}"`).join(', ')}`);
  }
  if (init.window !== undefined && init.window !== null) throw new TypeError('"window" must be null');
  if ((init as { duplex?: string }).duplex !== undefined && (init as { duplex?: string }).duplex !== 'half')
    throw new TypeError('"duplex" must be "half"');
  const mode = init.mode ?? request?.mode;
  const cache = init.cache ?? request?.cache ?? 'default';
  if (cache === 'only-if-cached' && mode !== 'same-origin')
    throw new TypeError('"cache" must not be "only-if-cached" without the mode "same-origin"');
  return {
    cache,
    credentials: init.credentials ?? request?.credentials ?? 'same-origin',
    redirect: init.redirect ?? request?.redirect ?? 'follow',
    sameOriginOnly: mode === 'same-origin',
    integrity: init.integrity ?? request?.integrity ?? '',
  };
}

/** What a cache mode says to the caches on the way (Fetch standard, "HTTP-network-or-cache fetch"). */
export function addCacheFields(headers: Headers, mode: RequestCache): void {
  const conditional = mode === 'default' && conditionalFields.some(name => headers.has(name));
  if (conditional || mode === 'no-store' || mode === 'reload') {
    if (!headers.has('pragma')) headers.set('pragma', 'no-cache');
    if (!headers.has('cache-control')) headers.set('cache-control', 'no-cache');
  } else if (mode === 'no-cache' && !headers.has('cache-control')) {
    headers.set('cache-control', 'max-age=0');
  }
}

/** What browsers send with every request, unless the caller has set it. */
export function usualFields(acceptedCodings: string): Fields {
  const { userAgent, languages } = globalThis.navigator ?? {};
  const fields: Fields = [
    ['accept', '*/*'],
    ['accept-encoding', acceptedCodings],
  ];
  if (languages?.length) fields.push(['accept-language', acceptLanguage(languages)]);
  if (userAgent) fields.push(['user-agent', userAgent]);
  return fields;
}

/** The page's languages as browsers send them: each counts a tenth less than the one before. */
function acceptLanguage(languages: readonly string[]): string {
  return languages
    .slice(0, 10)
    .map((language, index) => (index === 0 ? language : `${language};q=${(10 - index) / 10}`))
    .join(',');
}

/** Whether requests carry cookies, and keep those of their responses (Fetch standard, "credentials mode"). */
export function allowsCookies(credentials: RequestCredentials, url: URL): boolean {
  if (credentials !== 'same-origin') return credentials === 'include';
  const origin = globalThis.location?.origin;
  return origin === undefined || url.origin === origin;
}
