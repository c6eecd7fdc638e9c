import { MtlsError } from '../../errors.js';
import { rememberConnection } from '../../http/connection-info.js';
import type { RawResponse } from '../../http/raw-response.js';
import { withoutFragment } from '../../util/urls.js';
import { FetchResponse, type ResponseFields } from './fetch-response.js';
import { rememberTrailers } from './trailers.js';
import { visible } from './visible-fields.js';

/** Statuses whose responses have no body (Fetch standard, "null body status"). */
const nullBodyStatuses = new Set([204, 205, 304]);
/** Servers answer with more (999), but no `Response` can be made with it. */
const HIGHEST_STATUS = 599;
/** What is read of a body that nobody wants, so that its connection can be used again. */
const DISCARDED_BYTES = 64 * 1024;

/** The `Response` of the page. */
export function makeResponse(
  raw: RawResponse,
  request: { method: string; url: URL; redirected: boolean },
): Response {
  const { head, body, connection, responseMs, failure } = raw;
  const bodyless = request.method === 'HEAD' || nullBodyStatuses.has(head.status);
  if (bodyless) discard(body);
  const { status, statusText } = head;
  const headers = visible(head.headers);
  const fields: ResponseFields = {
    url: withoutFragment(request.url),
    redirected: request.redirected,
    type: 'basic',
    status,
  };
  const source = { transport: connection.transport, protocol: connection.protocol, responseMs };
  try {
    const init = { status: Math.min(status, HIGHEST_STATUS), statusText, headers };
    return new FetchResponse(bodyless ? null : body, init, {
      fields,
      failure,
      onCreated: it => {
        rememberConnection(it, source);
        rememberTrailers(it, raw.trailers);
      },
    });
  } catch (cause) {
    if (!bodyless) discard(body);
    throw new MtlsError('ERR_HTTP_PROTOCOL', "HTTP: the response's status or headers are not valid.", {
      cause,
    });
  }
}

/** What `redirect: 'manual'` gives for a redirect (Fetch standard, "opaque-redirect filtered response"). */
export function makeOpaqueRedirect(url: URL): Response {
  const fields: ResponseFields = {
    url: withoutFragment(url),
    redirected: false,
    type: 'opaqueredirect',
    status: 0,
  };
  const onCreated = (it: Response) => rememberTrailers(it, Promise.resolve([]));
  return new FetchResponse(null, {}, { fields, onCreated });
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
