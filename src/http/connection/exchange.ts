import { HttpFailureKind } from '../../engine/abi.js';
import { MtlsError, type MtlsErrorCode } from '../../errors.js';
import { deferred } from '../../util/promises.js';
import { withoutFragment } from '../../util/urls.js';
import type { OnProgress } from '../body/progress.js';
import { type RequestBody, unreadableBody } from '../body/request-body.js';
import { ResponseBody } from '../body/response-body.js';
import { Upload } from '../body/upload.js';
import { failureSentence } from '../failure-sentence.js';
import { fetchError } from '../fetch-error.js';
import type { ExchangeListener, Fields, HttpEngine, HttpFailure, ResponseHead } from '../http-engine.js';

export interface OutgoingRequest {
  method: string;
  url: URL;
  headers: Fields;
  body?: RequestBody | undefined;
  onUploadProgress?: OnProgress | undefined;
}

const REFUSED_STREAM = 7;
const HTTP_1_1_REQUIRED = 13;

/** What the server has said of further requests: the connection takes none, or none is to come over HTTP/2. */
export type Notice = 'goes-away' | 'wants-http1';

/** Why an exchange failed before its response, and whether another connection may be tried. */
export class ExchangeFailure extends Error {
  readonly reason: unknown;
  /** Whether the server may have acted on the request. */
  readonly processed: 'no' | 'maybe' | 'yes';
  readonly notice: Notice | undefined;

  constructor(reason: unknown, processed: 'no' | 'maybe' | 'yes', notice: Notice | undefined) {
    super('the exchange failed');
    this.reason = reason;
    this.processed = processed;
    this.notice = notice;
  }
}

/** What an exchange needs of the connection that it runs on. */
export interface ExchangeHost {
  readonly protocol: 'h2' | 'http/1.1';
  /** What the transport failed with, if it did. */
  readonly error: unknown;
  /** What is wrong with the head that has come, where the engine refuses it. */
  readonly headFault: MtlsError | undefined;
  /** The connection takes no further request. */
  close(): void;
  /** The head of a response as the page is to see it. */
  forPage(head: ResponseHead): ResponseHead;
  /** The response is complete, or never will be. `clean`: nothing of it is left on the connection. */
  onExchangeOver(exchange: Exchange, clean: boolean): void;
}

/** One request and its response on a connection. */
export class Exchange implements ExchangeListener {
  readonly head: Promise<ResponseHead>;
  /** The response's body; its stream is to be used once `head` is there. */
  readonly body: ResponseBody;
  /** The fields behind the body, once all of it has come. */
  readonly trailers: Promise<Fields>;

  #engine: HttpEngine;
  #host: ExchangeHost;
  #handle = 0;
  #answer = deferred<ResponseHead>();
  #end = deferred<Fields>();
  #answered = false;
  #bodyBytes = 0;
  #over = false;
  #upload: Upload;
  #status = 0;
  #signal: AbortSignal | undefined;
  #onAbort = () => this.#abort(this.#signal?.reason);

  constructor(
    engine: HttpEngine,
    host: ExchangeHost,
    options: { body?: RequestBody | undefined; signal?: AbortSignal | undefined },
  ) {
    this.#engine = engine;
    this.#host = host;
    this.#upload = new Upload(engine, options.body, () => this.#onUploaded());
    this.#signal = options.signal;
    this.head = this.#answer.promise;
    this.head.catch(() => {});
    this.trailers = this.#end.promise;
    this.trailers.catch(() => {});
    this.body = new ResponseBody({
      pull: () => engine.pull(this.#handle),
      cancel: reason => this.cancel(reason),
      signal: options.signal,
    });
  }

  /** Of the response's body, as they came. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Whether any of the request's body was read. */
  get bodyTouched(): boolean {
    return this.#upload.begun;
  }

  begin(connection: number, request: OutgoingRequest): void {
    const begun = this.#engine.begin(
      connection,
      {
        method: request.method,
        url: withoutFragment(request.url),
        headers: fieldsOf(request.headers, this.#host.protocol),
        bodyLength: request.body ? request.body.length : 0,
      },
      this,
    );
    if (typeof begun !== 'number') {
      this.onFailed(begun);
      return;
    }
    if (this.#over) {
      // It has failed inside of that call, before its handle was known.
      this.#engine.forget(begun);
      return;
    }
    this.#handle = begun;
    this.#upload.begin(begun, request.onUploadProgress);
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Ends the exchange at once; what waits for it fails with the reason. */
  cancel(reason: unknown): void {
    if (this.#over) return;
    this.#finish(false);
    this.#answer.reject(reason);
    this.#failBody(reason);
    if (!this.#upload.over) this.#cutUpload(reason);
    else if (this.#handle) this.#engine.cancel(this.#handle);
  }

  onHead(head: ResponseHead): void {
    this.#answered = true;
    this.#status = head.status;
    this.#answer.resolve(this.#host.forPage(head));
    this.body.begin();
  }

  onData(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#over) return;
    this.#bodyBytes += bytes.length;
    this.body.enqueue(bytes);
  }

  onEnd(trailers: Fields): void {
    if (this.#over) return;
    this.#end.resolve(trailers);
    // A server that answers with an error or a redirect does not want the rest of the body (RFC 9110 section 9.5).
    const unwanted = this.#status >= 300;
    if (unwanted && !this.#upload.over) this.#cutUpload(bodyUnwanted());
    // It may not have read all that was sent either, and then many hang up right after the answer, without having announced it.
    this.#finish(this.#host.protocol === 'h2' || !unwanted || this.#upload.isSmall);
    this.body.end();
  }

  onFailed(failure: HttpFailure): void {
    if (this.#over) return;
    const reason = this.#reasonOf(failure);
    this.#upload.stop(reason);
    this.#finish(false);
    const error = fetchError(reason);
    this.#end.reject(error);
    if (this.#answered) this.body.end({ error });
    else this.#answer.reject(new ExchangeFailure(reason, this.#processed(failure), noticeOf(failure)));
  }

  onBodyWanted(): void {
    void this.#upload.sendNext();
  }

  onBodyStopped(): void {
    // A failure that is the cause of it is told next, and has a better reason.
    queueMicrotask(() => this.#upload.stop(bodyUnwanted()));
    this.#upload.end();
  }

  /** A request's body may outlive its response: then that alone is aborted. */
  #abort(reason: unknown): void {
    if (!this.#over) this.cancel(reason);
    else if (!this.#upload.over) this.#cutUpload(reason);
  }

  /**
   * Sends no more of the body. What of it is on its way to a stream that is reset takes room in an HTTP/2 connection's window, which some
   * servers (Undertow) never give back: other requests take another connection.
   */
  #cutUpload(reason: unknown): void {
    this.#upload.abandon(reason);
    if (this.#handle) this.#engine.cancel(this.#handle);
    if (this.#host.protocol === 'h2' && this.bodyTouched) this.#host.close();
  }

  #onUploaded(): void {
    if (this.#over) this.#letGo();
  }

  #failBody(reason: unknown): void {
    const shown = this.body.fail(reason);
    this.#end.reject(shown ?? new TypeError('the body was cancelled before its trailers came'));
  }

  #finish(clean: boolean): void {
    this.#over = true;
    if (!clean || this.#upload.over) this.#letGo();
    // Without a handle nothing was sent.
    this.#host.onExchangeOver(this, clean || this.#handle === 0);
  }

  /** There is nothing more to be told, or to be aborted. */
  #letGo(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#engine.forget(this.#handle);
  }

  #reasonOf(failure: HttpFailure): unknown {
    const { kind, message } = failure;
    if (kind === HttpFailureKind.misuse) return new TypeError(message);
    if (kind === HttpFailureKind.bodyAborted) return unreadableBody(this.#upload.failure);
    if (this.#host.error !== undefined) return this.#host.error;
    const { headFault } = this.#host;
    if (headFault && kind === HttpFailureKind.protocol && !this.#answered) return headFault;
    const refused = kind === HttpFailureKind.unprocessed && failure.code !== 0;
    return new MtlsError(refused ? 'ERR_HTTP_RESET' : codes[kind], failureSentence(failure));
  }

  #processed(failure: HttpFailure): 'no' | 'maybe' | 'yes' {
    if (failure.kind === HttpFailureKind.unprocessed || wantsHttp1(failure)) return 'no';
    return uncertain.has(failure.kind) ? 'maybe' : 'yes';
  }
}

/** Over HTTP/1.1, TE is a field of the connection (RFC 9110 section 10.1.4). */
function fieldsOf(headers: Fields, protocol: 'h2' | 'http/1.1'): Fields {
  const isNeeded = protocol === 'http/1.1' && headers.some(([name]) => name === 'te');
  return isNeeded ? [...headers, ['connection', 'te']] : headers;
}

/** REFUSED_STREAM is about one request, GOAWAY about the connection (RFC 9113 section 8.7). */
function noticeOf(failure: HttpFailure): Notice | undefined {
  if (wantsHttp1(failure)) return 'wants-http1';
  const { kind, code } = failure;
  return kind === HttpFailureKind.unprocessed && code !== REFUSED_STREAM ? 'goes-away' : undefined;
}

/** Servers refuse requests so that may come over HTTP/1.1 alone, as those for which they would renegotiate TLS (RFC 9113 section 9.2.1). */
function wantsHttp1({ kind, code }: HttpFailure): boolean {
  return kind === HttpFailureKind.reset && code === HTTP_1_1_REQUIRED;
}

function bodyUnwanted(): TypeError {
  return new TypeError('the server reads no more of the body');
}

/** What leaves open whether the server has processed a request that it has not answered. */
const uncertain = new Set<HttpFailureKind>([
  HttpFailureKind.closed,
  HttpFailureKind.transport,
  HttpFailureKind.silent,
]);

/** Of those that the page's own request or body has not caused. */
const codes: Record<
  Exclude<HttpFailureKind, (typeof HttpFailureKind)['misuse' | 'bodyAborted']>,
  MtlsErrorCode
> = {
  [HttpFailureKind.protocol]: 'ERR_HTTP_PROTOCOL',
  [HttpFailureKind.incomplete]: 'ERR_HTTP_TRUNCATED',
  [HttpFailureKind.closed]: 'ERR_HTTP_CLOSED',
  [HttpFailureKind.unprocessed]: 'ERR_HTTP_CLOSED',
  [HttpFailureKind.tooLarge]: 'ERR_HTTP_HEADERS_TOO_LARGE',
  [HttpFailureKind.transport]: 'ERR_TUNNEL_CLOSED',
  [HttpFailureKind.reset]: 'ERR_HTTP_RESET',
  [HttpFailureKind.silent]: 'ERR_HTTP_TIMEOUT',
};
