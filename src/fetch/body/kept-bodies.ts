import { PlatformRequest } from '../../platform.js';
import type { ProgressListeners } from '../request-init.js';

/** What a `client.Request` knows beyond what the platform's `Request` does. */
export interface Kept extends ProgressListeners {
  /** The body, where it is known. A stream is in a response, because not every platform's `Request` can hold one. */
  body?: Blob | Response | undefined;
  /** The stream has been given away, to `fetch` or to another `Request`. */
  taken?: boolean;
}

const keptByRequest = new WeakMap<Request, Kept>();

export function keep(request: Request, kept: Kept): void {
  keptByRequest.set(request, kept);
}

export function keptOf(request: Request): Kept | undefined {
  return keptByRequest.get(request);
}

/** The stream that a request keeps. */
export function keptStream(
  request: Request,
): { readonly response: Response; readonly taken: boolean } | undefined {
  const { body, taken = false } = keptByRequest.get(request) ?? {};
  return body instanceof Response ? { response: body, taken } : undefined;
}

/** Takes the body that a request keeps, which has been used then. Undefined: the platform's `Request` alone has it, if there is one. */
export function takeKeptBody(request: Request): Blob | ReadableStream<Uint8Array> | undefined {
  const kept = keptByRequest.get(request);
  if (!kept?.body) return undefined;
  if (kept.body instanceof Response) {
    kept.taken = true;
    return kept.body.body ?? undefined;
  }
  // The platform's body passes on to a request that nobody reads.
  new PlatformRequest(request);
  return kept.body;
}

/** All of a request but its body, as an `init`. */
export function withoutBody(request: Request): RequestInit {
  const { method, headers, mode, credentials, cache, redirect } = request;
  const { referrer, referrerPolicy, integrity, keepalive, signal } = request;
  const fetching = { method, headers, mode, credentials, cache, redirect };
  return { ...fetching, referrer, referrerPolicy, integrity, keepalive, signal };
}
