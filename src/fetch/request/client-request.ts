import { isA, isBlob, PlatformRequest } from '../../platform.js';
import { checkStream, encodeBody, isStream, usedBody } from '../body/extract-body.js';
import { type Kept, keep, keptOf, keptStream, takeKeptBody, withoutBody } from '../body/kept-bodies.js';
import { type MtlsRequestInit, readProgress } from '../request-init.js';
import { readInit } from './request-options.js';

/** The class `client.Request`. */
export interface MtlsRequestClass {
  /** Makes a request that remembers its body. `init` also has `onUploadProgress` and `onDownloadProgress`. */
  new (input: RequestInfo | URL, init?: MtlsRequestInit | null): Request;
  /** The prototype of the requests; it extends the platform's own. */
  readonly prototype: Request;
}

/** In the place of a stream in the platform's own request. */
const STAND_IN = new Blob(['-']);
const readers = ['arrayBuffer', 'blob', 'bytes', 'formData', 'json', 'text'] as const;
const own = PlatformRequest.prototype;

/**
 * A `Request` (Fetch standard) that remembers its body, so that `client.fetch` knows its length, or streams it, without having read
 * it first. One with a stream is for `client.fetch` alone: for the platform, its body has been used.
 */
class RememberingRequest extends PlatformRequest {
  static {
    Object.defineProperty(RememberingRequest, 'name', { value: 'Request' });
    for (const name of readers) if (name in own) define(name, { value: readerNamed(name), writable: true });
    define('body', {
      get(this: Request) {
        const stream = keptStream(this);
        return stream ? stream.response.body : Reflect.get(own, 'body', this);
      },
    });
    define('bodyUsed', {
      get(this: Request) {
        const stream = keptStream(this);
        return stream ? stream.taken || stream.response.bodyUsed : Reflect.get(own, 'bodyUsed', this);
      },
    });

    function define(name: string, descriptor: PropertyDescriptor): void {
      const common = { configurable: true, enumerable: true };
      Object.defineProperty(RememberingRequest.prototype, name, { ...common, ...descriptor });
    }
  }

  constructor(input: RequestInfo | URL, init?: MtlsRequestInit | null) {
    const prepared = prepare(input, init);
    super(prepared.input, prepared.init);
    keep(this, prepared.kept);
    if (prepared.takenFrom) takeKeptBody(prepared.takenFrom);
    if (keptStream(this)) own.arrayBuffer.call(this).catch(() => {});
  }

  override clone(): Request {
    const stream = keptStream(this);
    if (stream && this.bodyUsed) throw usedBody();
    // The one to keep: Node cancels the stream of a cloned Response to which nothing refers any more.
    const response = stream?.response.clone();
    const clone = response
      ? new RememberingRequest(this.url, { ...withoutBody(this), body: response.body })
      : new RememberingRequest(super.clone());
    keep(clone, { ...keptOf(this), ...(response && { body: response }) });
    return clone;
  }
}

export const ClientRequest: MtlsRequestClass = RememberingRequest;

function readerNamed(name: (typeof readers)[number]) {
  return async function (this: Request): Promise<unknown> {
    const stream = keptStream(this);
    if (stream?.taken) throw usedBody();
    return stream ? stream.response[name]() : own[name].call(this);
  };
}

/** What a request is made of. */
interface Prepared {
  input: RequestInfo | URL;
  init: RequestInit;
  kept: Kept;
  /** The request whose stream goes over to this one. */
  takenFrom?: Request;
}

function prepare(input: RequestInfo | URL, givenInit: MtlsRequestInit | null | undefined): Prepared {
  const { onUploadProgress, onDownloadProgress, body, ...init } = readInit(givenInit);
  const given = isA(input, PlatformRequest) ? input : undefined;
  const before = given && keptOf(given);
  const progress = readProgress({
    onUploadProgress: onUploadProgress ?? before?.onUploadProgress,
    onDownloadProgress: onDownloadProgress ?? before?.onDownloadProgress,
  });
  const parts = { input, init, kept: progress };
  if (body !== undefined && body !== null) return withBody(parts, body);
  const stream = given && keptStream(given);
  if (!given || !stream) return { ...parts, kept: { ...progress, body: before?.body } };
  if (given.bodyUsed || !stream.response.body) throw usedBody();
  return { ...withBody(parts, stream.response.body), takenFrom: given };
}

function withBody({ input, init, kept }: Prepared, body: BodyInit): Prepared {
  const given = isA(input, PlatformRequest) ? input : undefined;
  // The platform takes no request of which it thinks that the body has been used, and Chromium takes its body away.
  const [plain, inherited] = given && keptOf(given)?.body ? [given.url, withoutBody(given)] : [input, {}];
  const headers = new Headers(init.headers ?? given?.headers);
  const made = (body: BodyInit, known?: Blob | Response): Prepared => ({
    input: plain,
    init: { ...inherited, ...init, headers, body },
    kept: { ...kept, body: known },
  });
  if (isStream(body)) {
    checkStream(body);
    if (init.keepalive ?? given?.keepalive)
      throw new TypeError('"keepalive" must not be set with a stream as the body');
    // Its own headers, of which `blob` and `formData` take the type.
    return made(STAND_IN, new Response(body, { headers }));
  }
  const whole = encodeBody(body);
  if (!whole) return made(body);
  const { parts, contentType } = whole;
  const [first] = parts;
  const blob = parts.length === 1 && isBlob(first) ? first : new Blob(parts);
  if (contentType !== null && !headers.has('content-type')) headers.set('content-type', contentType);
  return made(blob, blob);
}
