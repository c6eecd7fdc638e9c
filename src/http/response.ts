import { MtlsError } from '../errors.js';
import { rememberConnection } from './connection-info.js';
import type { RawResponse } from './pool.js';

/** Statuses whose responses have no body (Fetch standard, "null body status"). */
const nullBodyStatuses = new Set([204, 205, 304]);
/** What is read of a body that nobody wants, so that its connection can be used again. */
const DISCARDED_BYTES = 64 * 1024;

interface Shown {
  url: string;
  redirected: boolean;
  type: ResponseType;
  status?: number;
}

/** The `Response` of the page. */
export function makeResponse(
  raw: RawResponse,
  request: { method: string; url: URL; redirected: boolean },
): Response {
  const { head, body, connection, responseMs } = raw;
  const bodyless = request.method === 'HEAD' || nullBodyStatuses.has(head.status);
  if (bodyless) discard(body);
  let response: Response;
  try {
    const { status, statusText } = head;
    response = new Response(bodyless ? null : body, { status, statusText, headers: head.headers });
  } catch (cause) {
    if (!bodyless) discard(body);
    throw new MtlsError('ERR_HTTP_PROTOCOL', "HTTP: the response's status or headers are not valid.", {
      cause,
    });
  }
  const source = { transport: connection.transport, protocol: connection.protocol, responseMs };
  const shown: Shown = { url: withoutFragment(request.url), redirected: request.redirected, type: 'basic' };
  return show(response, shown, it => rememberConnection(it, source));
}

/** What `redirect: 'manual'` gives for a redirect (Fetch standard, "opaque-redirect filtered response"). */
export function makeOpaqueRedirect(url: URL): Response {
  const shown: Shown = { url: withoutFragment(url), redirected: false, type: 'opaqueredirect', status: 0 };
  return show(new Response(null), shown, () => {});
}

/** Lets go of a body that nobody wants. */
export function discard(body: ReadableStream<Uint8Array>): void {
  const reader = body.getReader();
  const read = async () => {
    for (let length = 0; length < DISCARDED_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) return;
      length += value.length;
    }
    await reader.cancel();
  };
  read().catch(() => {});
}

/** Gives a response what only a browser's own fetch can set, and its clones too. */
function show(response: Response, shown: Shown, remember: (response: Response) => void): Response {
  remember(response);
  const values = shown.status === undefined ? shown : { ...shown, ok: false };
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(response, name, { value, configurable: true });
  }
  const clone = () => show(Response.prototype.clone.call(response), shown, remember);
  return Object.defineProperty(response, 'clone', { value: clone, configurable: true, writable: true });
}

function withoutFragment(url: URL): string {
  return url.href.replace(/#.*$/s, '');
}
