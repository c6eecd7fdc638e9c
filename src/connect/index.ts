/** @module connect */

import type { MtlsClient } from '../client/mtls-client.js';

/** A request of `@connectrpc/connect`, which calls it `UniversalClientRequest`. */
export interface HttpRequest {
  /** The `https:` address of the method. */
  url: string;
  /** The HTTP method, `POST` in gRPC. */
  method: string;
  /** The fields of the request's head. */
  header: Headers;
  /** The messages to send, each as it comes. Default: no body. */
  body?: AsyncIterable<Uint8Array>;
  /** Ends the request. The promise, or the reading of the body, rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** The response to an {@link HttpRequest}, called `UniversalClientResponse` in `@connectrpc/connect`. */
export interface HttpResponse {
  /** The HTTP status. */
  status: number;
  /** The fields of the response's head. */
  header: Headers;
  /** The messages of the server, each as it comes. Leaving the loop cancels the response. */
  body: AsyncIterable<Uint8Array>;
  /** The fields behind the body. Filled when the end of the body has been read. */
  trailer: Headers;
}

/**
 * Makes the `httpClient` for `createTransport` of `@connectrpc/connect/protocol-grpc`. gRPC then needs no proxy (`docs/grpc.md`). Each
 * message is sent as it comes, and each answer is delivered as it comes.
 *
 * The returned function rejects as `client.fetch` does.
 */
export function createHttpClient(
  client: Pick<MtlsClient, 'fetch' | 'trailers'>,
): (request: HttpRequest) => Promise<HttpResponse> {
  return async ({ url, method, header, body, signal }) => {
    const upload = body && uploadOf(body);
    const response = await client.fetch(url, {
      method,
      headers: header,
      ...(upload && { body: upload.stream, duplex: 'half' }),
      ...(signal && { signal }),
    });
    const trailer = new Headers();
    const content = contentOf(response, async () => {
      for (const [name, value] of await client.trailers(response)) trailer.append(name, value);
    });
    const whole = upload ? endingWith(content, upload.end) : content;
    return { status: response.status, header: response.headers, body: whole, trailer };
  };
}

interface Upload {
  stream: ReadableStream<Uint8Array>;
  /** Sends nothing more, and ends the request's body as if all had been sent. */
  end(): void;
}

function uploadOf(body: AsyncIterable<Uint8Array>): Upload {
  const pieces = body[Symbol.asyncIterator]();
  let ended = false;
  let close = () => {};
  const end = () => {
    if (ended) return;
    ended = true;
    close();
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      // Set explicitly, so that a polluted Object.prototype.type has no effect.
      type: undefined,
      start(controller) {
        close = () => controller.close();
      },
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) end();
        else if (!ended) controller.enqueue(value);
      },
      cancel(reason) {
        ended = true;
        pieces.throw?.(reason).catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
  const endEarly = () => {
    if (ended) return;
    end();
    pieces.return?.().catch(() => {});
  };
  return { stream, end: endEarly };
}

/** The response's body. One who leaves before its end cancels it. WebKit's streams cannot be iterated over. */
async function* contentOf(
  { body }: Response,
  readTrailers: () => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body?.getReader();
  try {
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) yield read.value;
    await readTrailers();
  } finally {
    reader?.cancel().catch(() => {});
  }
}

/** A server that has said everything wants no more of the request, and need not say so. */
async function* endingWith(
  content: AsyncGenerator<Uint8Array, void, undefined>,
  onEnd: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* content;
  } finally {
    onEnd();
  }
}
