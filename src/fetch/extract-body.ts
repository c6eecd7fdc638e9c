import { MtlsError } from '../errors.js';
import { fetchError } from '../http/fetch-error.js';
import { blobBody, type RequestBody, readerOf, streamBody, unreadableBody } from '../http/request-body.js';
import { isA, isBlob, PlatformRequest } from '../platform.js';
import { encodeForm } from './form-data.js';
import { takeKeptBody } from './kept-bodies.js';

/** So much of the body of a platform's `Request` is read before sending, because its length cannot be known otherwise. */
const MEASURED_BYTES = 8 * 1024 * 1024;
/** A body that has not ended by then is made as it goes. */
const MEASURING_MS = 2_000;

export function isStream(body: unknown): body is ReadableStream<Uint8Array> {
  return isA(body, ReadableStream);
}

/** A stream that is read elsewhere, or has been read from, is a TypeError. */
export function checkStream(stream: ReadableStream): void {
  if (stream.locked) throw new TypeError('the body is locked: something else reads it already');
  // The platform alone knows whether it has been read from.
  new Response(stream);
}

/**
 * The body that an `init` names. Must be called with what the page gave: native requests lose streams (Firefox sends
 * "[object ReadableStream]"). The platform encodes everything but forms as its own fetch would.
 */
export function bodyOf(source: BodyInit): RequestBody | Promise<RequestBody> {
  if (isStream(source)) return streamBody(source);
  const whole = encodeBody(source);
  if (whole) return blobBody(whole.blob, whole.contentType);
  const encoded = new Response(source);
  const contentType = encoded.headers.get('content-type');
  return encoded.blob().then(blob => blobBody(blob, contentType));
}

/** A body whose content is known. */
export interface WholeBody {
  blob: Blob;
  contentType: string | null;
}

/**
 * A body as the platform would encode it (Fetch standard, "extract a body"), whatever becomes of its source; undefined for kinds that
 * the platform alone knows. Not for streams.
 */
export function encodeBody(source: BodyInit): WholeBody | undefined {
  if (isBlob(source)) return { blob: source, contentType: source.type || null };
  if (isA(source, FormData)) return encodeForm(source);
  if (isA(source, URLSearchParams)) {
    const contentType = 'application/x-www-form-urlencoded;charset=UTF-8';
    return { blob: new Blob([`${source}`]), contentType };
  }
  if (isA(source, ArrayBuffer) || ArrayBuffer.isView(source))
    return { blob: new Blob([source]), contentType: null };
  if (typeof source === 'object') return undefined;
  return { blob: new Blob([`${source}`]), contentType: 'text/plain;charset=UTF-8' };
}

/**
 * The body of a `Request`; undefined when it has none. A body that cannot be read is a TypeError with ERR_HTTP_BODY. An abort cancels it, and
 * is thrown with its reason.
 */
export async function bodyOfRequest(
  request: Request,
  signal: AbortSignal | undefined,
): Promise<RequestBody | undefined> {
  if (request.bodyUsed) throw usedBody();
  const kept = takeKeptBody(request);
  if (kept) return isStream(kept) ? streamBody(kept) : blobBody(kept, null);
  try {
    // Firefox shows no body.
    if (request.body === undefined) return blobBody(await request.blob(), null);
    return request.body === null ? undefined : await measured(request.body, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    throw fetchError(isLostForm(request, cause) ? lostForm(cause) : unreadableBody(cause));
  }
}

/** Lets go of the body of a request that is aborted beforehand; a `Request` has been used then. */
export function dropBody(source: BodyInit | Request | undefined, reason: unknown): void {
  const body = isA(source, PlatformRequest) ? source.body : source;
  if (isStream(body)) {
    if (!body.locked) body.cancel(reason).catch(() => {});
  } else if (isA(source, PlatformRequest) && !source.bodyUsed) {
    // Firefox shows no body.
    source.blob().catch(() => {});
  }
}

export function usedBody(): TypeError {
  return new TypeError("the request's body has been used already");
}

/** WebKit gives a form with files back in no way, once it is in a `Request`. */
function isLostForm({ headers }: Request, cause: unknown): boolean {
  const isForm = headers.get('content-type')?.startsWith('multipart/form-data');
  return isForm === true && cause instanceof DOMException && cause.name === 'InvalidStateError';
}

function lostForm(cause: unknown): MtlsError {
  const message =
    'This browser does not give back the form with files in the Request: give the FormData to fetch as init.body, or to client.Request.';
  return new MtlsError('ERR_HTTP_BODY', message, { cause });
}

async function measured(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<RequestBody> {
  const rest = readerOf(stream);
  const start: Uint8Array<ArrayBuffer>[] = [];
  let waiting: Promise<Uint8Array | undefined> | undefined;
  let isLate = false;
  let giveUp = () => {};
  const timer = setTimeout(() => {
    isLate = true;
    giveUp();
  }, MEASURING_MS);
  const onAbort = () => rest.cancel(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    for (let length = 0; length < MEASURED_BYTES && !isLate; ) {
      const next = rest.next();
      waiting = next;
      const chunk = await new Promise<Uint8Array | 'late' | undefined>((resolve, reject) => {
        giveUp = () => resolve('late');
        next.then(resolve, reject);
      });
      signal?.throwIfAborted();
      if (chunk === 'late') break;
      waiting = undefined;
      if (!chunk) return blobBody(new Blob(start), null);
      start.push(chunk.slice());
      length += chunk.length;
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
  const next = () => {
    const chunk = start.shift();
    if (chunk) return Promise.resolve(chunk);
    const begun = waiting;
    waiting = undefined;
    return begun ?? rest.next();
  };
  return {
    length: undefined,
    contentType: null,
    replayable: false,
    open: () => ({ next, cancel: reason => rest.cancel(reason) }),
    abandon: reason => rest.cancel(reason),
  };
}
