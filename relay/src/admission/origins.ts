/** As browsers write origins of schemes that `URL` gives none for: of extensions and app shells. */
const OTHER_SCHEME = /^(?!(?:https?|wss?|ftp|file|blob|data):)[a-z][a-z\d+.-]*:\/\/[\w.-]+(?::\d+)?$/;

/**
 * Parses an allowed origin: exactly what a browser sends, such as `https://app.example.com` or `http://localhost:5173`,
 * `chrome-extension://ID` for an extension, `null` for pages without one (sandboxed frames, files), or `*` for every page.
 *
 * A `TypeError` for anything else.
 */
export function parseOrigin(origin: string): string {
  if (origin === '*' || origin === 'null' || OTHER_SCHEME.test(origin)) return origin;
  const parsed = URL.canParse(origin) ? new URL(origin) : undefined;
  // A URL may have a * in its host; here it would only look like a pattern.
  if (!parsed || parsed.origin === 'null' || parsed.href !== `${parsed.origin}/` || origin.includes('*')) {
    throw new TypeError(
      `"origins" must be scheme, host and port as browsers write them, as in https://app.example.com, not ${JSON.stringify(origin)}`,
    );
  }
  return parsed.origin;
}

/**
 * Whether a request may go on to its hello message.
 *
 * Only browsers send Origin, and they always do. A request without one is not a page, so the origin list protects nobody
 * from it; it is let in when a token will be asked for, or when every origin is allowed anyway.
 */
export function originAllowed(
  origin: string | undefined,
  { origins, asksForToken }: { origins: string[]; asksForToken: boolean },
): boolean {
  if (origins.includes('*')) return true;
  return origin === undefined ? asksForToken : origins.includes(origin);
}
