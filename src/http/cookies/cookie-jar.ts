// Loaded with the first cookie, tough-cookie behind it.
import { Cookie, CookieJar, domainMatch, getPublicSuffix } from 'tough-cookie';
import { toLatin1 } from '../../util/encoding.js';
import { serverOf } from '../../util/host-port.js';

/** RFC 6265bis section 5.6: octets of name and value. A header's text has one code unit for each octet. */
const MAX_COOKIE_BYTES = 4_096;
/** RFC 6265bis section 5.6: octets of an attribute's value. */
const MAX_ATTRIBUTE_BYTES = 1_024;
/** As Chromium and Firefox have it: of a registrable domain with all hosts below it. */
const MAX_COOKIES_PER_SITE = 180;
const MAX_COOKIES = 3_000;

/** Others are not kept, so that nothing without a limit is. */
const knownAttributes = ['domain', 'expires', 'httponly', 'max-age', 'path', 'samesite', 'secure'];

/** What no cookie has (RFC 6265bis section 5.6). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const CONTROL_CHARACTERS = /[\0-\x08\x0a-\x1f\x7f]/;

/** Which site a request goes to, seen from the page (RFC 6265bis section 5.2). */
type SameSiteContext = 'strict' | 'none';

interface Kept {
  cookie: Cookie;
  site: string;
}

/** Cookies in memory, within the limits of RFC 6265bis; those that have not been used for longest make room for new ones. */
export class LimitedJar {
  // It knows the prefixes in one case alone: `keepsPrefix` looks at them.
  #jar = new CookieJar(undefined, { prefixSecurity: 'unsafe-disabled' });
  /** What is in the jar, the least recently used first. */
  #kept = new Map<string, Kept>();

  /** The value of the header Cookie, of `maxBytes` at most; undefined: there is none. */
  async header(url: URL, maxBytes: number): Promise<string | undefined> {
    const options = { sameSiteContext: siteContext(url), sort: true };
    const matching = await this.#jar.getCookies(url.href, options);
    const sent = this.#lastUsed(matching, maxBytes);
    for (const cookie of sent) this.#noteUse(cookie);
    // In the standard's order.
    const pairs = matching.filter(it => sent.includes(it)).map(it => it.cookieString());
    return pairs.join('; ') || undefined;
  }

  /** Those that scripts may read. To look at a cookie is not to use it. */
  async visible(url: URL): Promise<{ name: string; value: string }[]> {
    const options = { http: false, sameSiteContext: siteContext(url), sort: true };
    const cookies = await this.#jar.getCookies(url.href, options);
    return cookies.map(({ key, value }) => ({ name: textOf(key), value: textOf(value) }));
  }

  /** Takes a value of Set-Cookie; one that the standard refuses is ignored, as browsers do. */
  async set(url: URL, value: string): Promise<void> {
    const text = withinLimits(value, serverOf(url).hostname);
    if (text === undefined) return;
    const options = { ignoreError: true, loose: true, sameSiteContext: siteContext(url) };
    const cookie = await this.#jar.setCookie(text, url.href, options);
    if (!cookie) return;
    const site = this.#noteUse(cookie);
    if (isExpired(cookie)) return this.#remove(cookie);
    for (let next = this.#excess(site); next; next = this.#excess(site)) await this.#remove(next.cookie);
  }

  /** @param pattern a host, or `*.example.com`; undefined: every host */
  async clear(pattern: string | undefined): Promise<void> {
    for (const { cookie } of [...this.#kept.values()])
      if (pattern === undefined || isOfHost(cookie, pattern)) await this.#remove(cookie);
  }

  /** Those that were used last, as many as fit; the least recently used of them first. */
  #lastUsed(cookies: readonly Cookie[], maxBytes: number): Cookie[] {
    const wanted = new Set(cookies);
    const sent: Cookie[] = [];
    let left = maxBytes;
    for (const { cookie } of [...this.#kept.values()].reverse()) {
      if (!wanted.has(cookie)) continue;
      const bytes = cookie.cookieString().length + (sent.length > 0 ? '; '.length : 0);
      if (bytes > left) continue;
      left -= bytes;
      sent.unshift(cookie);
    }
    return sent;
  }

  /** Gives the cookie's site. */
  #noteUse(cookie: Cookie): string {
    const key = keyOf(cookie);
    const site = this.#kept.get(key)?.site ?? siteOf(cookie.domain ?? '');
    this.#kept.delete(key);
    this.#kept.set(key, { cookie, site });
    return site;
  }

  /** What has to go next (RFC 6265bis section 5.7): expired ones first, then those of the site without Secure. */
  #excess(site: string): Kept | undefined {
    const all = [...this.#kept.values()];
    const ofSite = all.filter(it => it.site === site);
    const crowded = ofSite.length > MAX_COOKIES_PER_SITE;
    if (!crowded && all.length <= MAX_COOKIES) return undefined;
    const expired = all.find(it => isExpired(it.cookie));
    if (expired) return expired;
    return crowded ? (ofSite.find(it => !it.cookie.secure) ?? ofSite[0]) : all[0];
  }

  async #remove(cookie: Cookie): Promise<void> {
    this.#kept.delete(keyOf(cookie));
    const { domain, path, key } = cookie;
    if (domain === null || path === null) return;
    await this.#jar.store.removeCookie(domain, path, key);
    // The store would keep an empty place for each domain and path.
    const left = [...this.#kept.values()].filter(it => it.cookie.domain === domain);
    if (left.length === 0) await this.#jar.store.removeCookies(domain, null);
    else if (!left.some(it => it.cookie.path === path)) await this.#jar.store.removeCookies(domain, path);
  }
}

/** Whether a value of Set-Cookie from a URL makes a cookie that requests to these hosts would carry. */
export function setsForHost(pattern: string, value: string, url: URL): boolean {
  const domain = parse(value)?.domain ?? null;
  const { hostname } = serverOf(url);
  return isOfHost({ domain: domain ?? hostname, hostOnly: domain === null }, pattern);
}

function isOfHost({ domain, hostOnly }: Pick<Cookie, 'domain' | 'hostOnly'>, pattern: string): boolean {
  if (domain === null) return false;
  const bare = domain.replace(/\.$/, '');
  if (pattern.startsWith('*.')) return domainMatch(bare, pattern.slice(2)) === true;
  return hostOnly ? bare === pattern : domainMatch(pattern, bare) === true;
}

/** Nameless cookies are kept (`loose`), but not where the next server would read a name out of the value. */
function parse(value: string): Cookie | undefined {
  if (CONTROL_CHARACTERS.test(value) || /^\s*=[^;]*=/.test(value)) return undefined;
  const cookie = Cookie.parse(value, { loose: true });
  return cookie && (cookie.key || cookie.value) ? cookie : undefined;
}

/** Whether a cookie is what its name promises (RFC 6265bis section 5.7). */
function keepsPrefix(cookie: Cookie, attributes: ReadonlyMap<string, string>): boolean {
  const name = (cookie.key || cookie.value).toLowerCase();
  const isOfHost = name.startsWith('__host-');
  if (!isOfHost && !name.startsWith('__secure-')) return true;
  if (!cookie.key || !cookie.secure) return false;
  return !isOfHost || (!attributes.get('domain') && attributes.get('path') === '/');
}

/**
 * A value of Set-Cookie without the attributes that are too long, not known, or followed by one of the same name that counts; undefined
 * for a cookie that the standard refuses.
 */
function withinLimits(value: string, hostname: string): string | undefined {
  const cookie = parse(value);
  if (!cookie || cookie.key.length + cookie.value.length > MAX_COOKIE_BYTES) return undefined;
  const [pair = '', ...attributes] = value.split(';');
  const kept = attributes.map(readAttribute).filter(([name, text]) => {
    return knownAttributes.includes(name) && text.length <= MAX_ATTRIBUTE_BYTES;
  });
  const last = new Map(kept);
  if (!keepsPrefix(cookie, last)) return undefined;
  const domain = last.get('domain')?.replace(/^\./, '').toLowerCase();
  // A public suffix may have cookies of its own, but none for the hosts below it.
  const isHostOnly = !domain || (domain === hostname && registrableDomain(hostname) === undefined);
  const texts = kept
    .filter(([name, text]) => name !== 'domain' || (!isHostOnly && text === last.get('domain')))
    .map(([name, text]) => `${name}=${text}`);
  return [pair, ...texts, ''].join(';');
}

function readAttribute(attribute: string): [name: string, value: string] {
  const [name = '', ...rest] = attribute.split('=');
  return [name.trim().toLowerCase(), rest.join('=').trim()];
}

/** Of octets, one in each code unit. */
function textOf(octets: string): string {
  return new TextDecoder().decode(toLatin1(octets));
}

const keyOf = ({ domain, path, key }: Cookie) => JSON.stringify([domain, path, key]);

function isExpired(cookie: Cookie): boolean {
  return (cookie.expiryTime() ?? Number.POSITIVE_INFINITY) <= Date.now();
}

/** The registrable domain; a host that has none, as an address, is a site of its own. */
function siteOf(hostname: string): string {
  return registrableDomain(hostname) ?? hostname;
}

function registrableDomain(hostname: string): string | undefined {
  return getPublicSuffix(hostname, { allowSpecialUseDomain: true, ignoreError: true }) ?? undefined;
}

function siteContext(url: URL): SameSiteContext {
  const page = globalThis.location;
  if (!page?.hostname) return 'strict';
  return siteOf(page.hostname) === siteOf(url.hostname) ? 'strict' : 'none';
}
