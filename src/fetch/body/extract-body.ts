import { MtlsError } from '../../errors.js';
import { type RequestBody, streamBody, unreadableBody, wholeBody } from '../../http/body/request-body.js';
import { fetchError } from '../../http/fetch-error.js';
import { isA, isBlob, PlatformRequest } from '../../platform.js';
import { viewOf } from '../../util/bytes.js';
import { keepBody, type WholeBody } from './body-copies.js';
import { encodeForm } from './form-data.js';
import { takeKeptBody } from './kept-bodies.js';
import { measured } from './measured-body.js';

export function isStream(body: unknown): body is ReadableStream<Uint8Array> {
  return isA(body, ReadableStream);
}

/** A stream that is read elsewhere, or has been read from, is a TypeError. */
export function checkStream(stream: ReadableStream): void {
  if (stream.locked) throw new TypeError('"body" must not be locked: something else reads it already');
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
  if (whole) return keepBody(whole);
  const encoded = new Response(source);
  const contentType = encoded.headers.get('content-type');
  return encoded.blob().then(blob => wholeBody([blob], contentType));
}

/**
 * A body as the platform would encode it (Fetch standard, "extract a body"), not copied yet; undefined for kinds that the platform
 * alone knows. Not for streams.
 */
export function encodeBody(source: BodyInit): WholeBody | undefined {
  if (isBlob(source)) return { parts: [source], contentType: source.type || null };
  if (isA(source, FormData)) return encodeForm(source);
  if (isA(source, URLSearchParams)) {
    const contentType = 'application/x-www-form-urlencoded;charset=UTF-8';
    return { parts: [`${source}`], contentType };
  }
  if (isA(source, ArrayBuffer) || ArrayBuffer.isView(source))
    return { parts: [fixedBytes(source)], contentType: null };
  if (typeof source === 'object') return undefined;
  return { parts: [`${source}`], contentType: 'text/plain;charset=UTF-8' };
}

/** Shared memory, and such as can change its size, is a TypeError here as in the platform's fetch (Web IDL, "BufferSource"). */
function fixedBytes(source: BufferSource): Uint8Array<ArrayBuffer> {
  const buffer: ArrayBuffer & { resizable?: boolean } = ArrayBuffer.isView(source) ? source.buffer : source;
  if (!isA(buffer, ArrayBuffer)) throw new TypeError('"body" must not be shared memory: send a copy');
  if (buffer.resizable) throw new TypeError('"body" must not be a resizable ArrayBuffer: send a copy');
  // What was transferred away has no bytes, and takes no view.
  return (source.byteLength > 0 && viewOf(source)) || new Uint8Array();
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
  if (kept) return isStream(kept) ? streamBody(kept) : wholeBody([kept], null);
  try {
    // Firefox shows no body.
    if (request.body === undefined) return wholeBody([await request.blob()], null);
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
  return new TypeError('"body" must not have been used already');
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
