import { baseAddress } from '../../platform.js';
import { serverOf } from '../../util/host-port.js';
import { checkedInteger, checkOptionNames, type OptionNames } from '../../util/options.js';
import { Part } from '../../util/part.js';

type JarModule = typeof import('./cookie-jar.js');

/**
 * With the public suffix list.
 *
 * @internal
 */
export const jarPart = /* @__PURE__ */ new Part<JarModule>(() => import('./cookie-jar.js'), {
  code: 'ERR_HTTP_COOKIES',
  task: 'keeps cookies',
});

/** Limits of a client's cookies. */
export interface CookieOptions {
  /**
   * How long the header `Cookie` of a request may be, in bytes. Beyond it, the least recently used cookies are left out. Raise it for a
   * server that accepts longer headers. From 4,100 to 1,048,576; default 8,180.
   */
  maxHeaderBytes?: number;
}

/** One line of 8 KiB, with the name of the field: what nginx, Apache and most others take by default. */
const DEFAULT_MAX_HEADER_BYTES = 8_180;
const MAX_HEADER_BYTES_RANGE = { min: 4_100, max: 1_048_576 };
const names: OptionNames<CookieOptions> = { maxHeaderBytes: true };

/** A cookie that scripts may read. */
export interface VisibleCookie {
  /** The cookie's name. Empty: it has none. */
  name: string;
  /** The value as the server sent it, read as UTF-8: `%20` stays `%20`. */
  value: string;
}

/** The cookies of a client. They are in memory, belong to this client only, and end with the page. */
export interface ClientCookies {
  /**
   * The cookies that a request to an address would carry, without those with `HttpOnly`, in the order of the header `Cookie`. Use it instead
   * of `document.cookie`.
   *
   * @param url an `https:` address
   * @throws TypeError for another address
   */
  get(url: string | URL): Promise<VisibleCookie[]>;
  /**
   * Deletes the cookies that requests to a host would carry.
   *
   * @param host a host name, or `*.example.com` for a domain and all names below it; a port has no effect. Default: every host.
   * @throws TypeError for anything else
   */
  clear(host?: string): Promise<void>;
}

/**
 * A cookie jar (RFC 6265bis). The library is loaded when the first cookie comes.
 *
 * Cookies with SameSite `Lax` or `Strict` are kept and sent only where the server is of the page's site; without a page, as in Node,
 * every server is.
 */
export class Cookies implements ClientCookies {
  #jar: Promise<{ module: JarModule; jar: InstanceType<JarModule['LimitedJar']> }> | undefined;
  #maxHeaderBytes: number;
  #clearings = 0;
  /** When each host or pattern was cleared the last time; undefined: every host. */
  #cleared = new Map<string | undefined, number>();

  /** @throws TypeError for a wrong option */
  constructor(options: CookieOptions = {}) {
    checkOptionNames(options, names, 'cookies.');
    const { maxHeaderBytes = DEFAULT_MAX_HEADER_BYTES } = options;
    this.#maxHeaderBytes = checkedInteger('cookies.maxHeaderBytes', maxHeaderBytes, MAX_HEADER_BYTES_RANGE);
  }

  /** How often cookies have been cleared, for `store`. */
  get clearings(): number {
    return this.#clearings;
  }

  async get(url: string | URL): Promise<VisibleCookie[]> {
    const address = URL.canParse(`${url}`, baseAddress()) ? new URL(url, baseAddress()) : undefined;
    if (address?.protocol !== 'https:') throw new TypeError('"url" must be an https: address');
    if (!this.#jar) return [];
    const { jar } = await this.#jar;
    return jar.visible(address);
  }

  /** The value of the header Cookie for an https: URL; undefined: there is none. */
  async header(url: URL): Promise<string | undefined> {
    if (!this.#jar) return undefined;
    const { jar } = await this.#jar;
    return jar.header(url, this.#maxHeaderBytes);
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
    const { module, jar } = await this.#open();
    const isCleared = (value: string) =>
      [...this.#cleared].some(
        ([pattern, clearing]) =>
          clearing > since && (pattern === undefined || module.setsForHost(pattern, value, url)),
      );
    for (const value of values) if (!isCleared(value)) await jar.set(url, value);
  }

  async clear(host?: string): Promise<void> {
    const pattern = host === undefined ? undefined : canonical(host);
    this.#cleared.set(pattern, ++this.#clearings);
    if (!this.#jar) return;
    const { jar } = await this.#jar;
    await jar.clear(pattern);
  }

  #open() {
    this.#jar ??= jarPart.load().then(
      module => ({ module, jar: new module.LimitedJar() }),
      error => {
        this.#jar = undefined;
        throw error;
      },
    );
    return this.#jar;
  }
}

/** What `clear` is given, as URLs have host names, without a port, brackets and the dot of the root. */
function canonical(host: string): string {
  const [, wildcard = '', name = ''] = /^(\*\.)?([^/\\?#@*\s]+)$/.exec(host) ?? [];
  if (!name || !URL.canParse(`https://${name}`))
    throw new TypeError('"host" must be a host name, or *.example.com');
  const { hostname } = serverOf(new URL(`https://${name}`));
  return wildcard + withoutRoot(hostname);
}

function withoutRoot(hostname: string): string {
  return hostname.replace(/\.$/, '');
}
