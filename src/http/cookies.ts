import type { Cookie, CookieJar } from 'tough-cookie';
import { MtlsError } from '../errors.js';
import { originOf } from './plaintext-stream.js';

type CookieLibrary = typeof import('tough-cookie');

/** Which site a request goes to, seen from the page (RFC 6265bis section 5.2). */
type SameSiteContext = 'strict' | 'none';

/** The cookies of a client: kept in memory, sent to no server of another client, and gone with the page. */
export interface ClientCookies {
  /**
   * Deletes the cookies that requests to a host would carry.
   *
   * @param host a host name, or `*.example.com` for a domain and all below it; a port makes no difference. Default: every host.
   * @throws TypeError for what is neither
   */
  clear(host?: string): Promise<void>;
}

/**
 * A cookie jar (RFC 6265). The library is loaded when the first cookie comes.
 *
 * Cookies with SameSite `Lax` or `Strict` are kept and sent only where the server is of the page's site; without a page, as in Node,
 * every server is.
 */
export class Cookies implements ClientCookies {
  #jar: Promise<{ library: CookieLibrary; jar: CookieJar }> | undefined;
  #clearings = 0;
  /** When each host or pattern was cleared the last time; undefined: every host. */
  #cleared = new Map<string | undefined, number>();

  /** How often cookies have been cleared, for `store`. */
  get clearings(): number {
    return this.#clearings;
  }

  /** The value of the header Cookie for an https: URL; undefined: there is none. */
  async header(url: URL): Promise<string | undefined> {
    if (!this.#jar) return undefined;
    const { library, jar } = await this.#jar;
    const text = await jar.getCookieString(url.href, { sameSiteContext: siteOf(library, url) });
    return text || undefined;
  }

  /**
   * Takes the values of Set-Cookie; those that the standard refuses are ignored, as browsers do. So are those that have been
   * cleared since the request was sent.
   *
   * @param since `clearings` when the request was sent
   * @throws MtlsError ERR_HTTP_COOKIES
   */
  async store(url: URL, values: readonly string[], since = this.#clearings): Promise<void> {
    if (values.length === 0) return;
    const { library, jar } = await this.#open();
    const options = { ignoreError: true, sameSiteContext: siteOf(library, url) };
    for (const value of values) {
      if (!this.#isCleared(library, value, { url, since })) await jar.setCookie(value, url.href, options);
    }
  }

  async clear(host?: string): Promise<void> {
    const pattern = host === undefined ? undefined : canonical(host);
    this.#cleared.set(pattern, ++this.#clearings);
    if (!this.#jar) return;
    const { library, jar } = await this.#jar;
    for (const cookie of await jar.store.getAllCookies()) {
      if (pattern === undefined || isOfHost(library, cookie, pattern)) await remove(jar, cookie);
    }
  }

  /** Whether it is a cookie that a later `clear` would have deleted. */
  #isCleared(library: CookieLibrary, value: string, { url, since }: { url: URL; since: number }): boolean {
    if (this.#clearings === since) return false;
    const domain = library.Cookie.parse(value)?.domain ?? null;
    const { hostname } = originOf(url);
    const place = { domain: domain ?? hostname, hostOnly: domain === null };
    return [...this.#cleared].some(
      ([pattern, clearing]) =>
        clearing > since && (pattern === undefined || isOfHost(library, place, pattern)),
    );
  }

  #open(): Promise<{ library: CookieLibrary; jar: CookieJar }> {
    this.#jar ??= import('tough-cookie').then(
      library => ({ library, jar: new library.CookieJar(undefined, { prefixSecurity: 'silent' }) }),
      cause => {
        this.#jar = undefined;
        throw new MtlsError(
          'ERR_HTTP_COOKIES',
          'The part of this library that keeps cookies could not be loaded.',
          { cause },
        );
      },
    );
    return this.#jar;
  }
}

/** Whether requests carry cookies, and keep those of their responses (Fetch standard, "credentials mode"). */
export function allowsCookies(credentials: RequestCredentials, url: URL): boolean {
  if (credentials !== 'same-origin') return credentials === 'include';
  const origin = globalThis.location?.origin;
  return origin === undefined || url.origin === origin;
}

function isOfHost(
  { domainMatch }: CookieLibrary,
  { domain, hostOnly }: Pick<Cookie, 'domain' | 'hostOnly'>,
  pattern: string,
): boolean {
  if (domain === null) return false;
  const bare = withoutRoot(domain);
  if (pattern.startsWith('*.')) return domainMatch(bare, pattern.slice(2)) === true;
  return hostOnly ? bare === pattern : domainMatch(pattern, bare) === true;
}

/** What `clear` is given, as URLs have host names, without a port, brackets and the dot of the root. */
function canonical(host: string): string {
  const [, wildcard = '', name = ''] = /^(\*\.)?([^/\\?#@*\s]+)$/.exec(host) ?? [];
  if (!name || !URL.canParse(`https://${name}`)) throw new TypeError('host: a host name, or *.example.com');
  const { hostname } = originOf(new URL(`https://${name}`));
  return wildcard + withoutRoot(hostname);
}

function withoutRoot(hostname: string): string {
  return hostname.replace(/\.$/, '');
}

async function remove(jar: CookieJar, { domain, path, key }: Cookie): Promise<void> {
  if (domain !== null && path !== null) await jar.store.removeCookie(domain, path, key);
}

function siteOf({ getPublicSuffix }: CookieLibrary, url: URL): SameSiteContext {
  const page = globalThis.location;
  if (!page?.hostname) return 'strict';
  const site = (hostname: string) =>
    getPublicSuffix(hostname, { allowSpecialUseDomain: true, ignoreError: true }) ?? hostname;
  return site(page.hostname) === site(url.hostname) ? 'strict' : 'none';
}
