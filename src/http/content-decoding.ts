import { MtlsError } from '../errors.js';
import { fetchError } from './fetch-error.js';
import type { RawResponse } from './pool.js';

/** Content codings and what `DecompressionStream` calls them. `deflate` is told from its raw form by its first bytes. */
const formats = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'brotli'],
  ['zstd', 'zstd'],
]);
/** More codings in a row than this are an attack. */
const MAX_CODINGS = 5;
/** A piece of this size becomes a few megabytes at most, so that a reader who stops is not flooded. */
const PIECE_BYTES = 4096;

const supported = new Map<string, boolean>();

/** The codings that this platform can decode, for `Accept-Encoding`. */
export function acceptEncoding(): string {
  return ['gzip', 'deflate', 'br', 'zstd']
    .filter(coding => isSupported(formats.get(coding) ?? ''))
    .join(', ');
}

/**
 * The response with its body decoded (RFC 9110 section 8.4). A body with a coding that is not known is left as it is. Reads fail
 * with ERR_HTTP_DECODING when the body is damaged, or when the platform cannot decode it.
 */
export function decodeContent(response: RawResponse): RawResponse {
  const codings = codingsOf(response);
  if (codings.length === 0 || !codings.every(coding => formats.has(coding))) return response;
  if (codings.length > MAX_CODINGS) {
    response.body.cancel().catch(() => {});
    throw new MtlsError('ERR_HTTP_DECODING', `HTTP: the body has ${codings.length} content codings.`);
  }
  return { ...response, body: codings.reduceRight(decoded, response.body) };
}

function codingsOf({ head }: RawResponse): string[] {
  return head.headers
    .filter(([name]) => name === 'content-encoding')
    .flatMap(([, value]) => value.toLowerCase().split(','))
    .map(coding => coding.trim())
    .filter(coding => coding !== '' && coding !== 'identity');
}

/** An empty body stays empty, as in browsers. */
function decoded(body: ReadableStream<Uint8Array>, coding: string): ReadableStream<Uint8Array> {
  const source = new Source(body);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          reader ??= (await open(source, coding)).getReader();
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          source.cancel(error);
          throw source.failure ? source.failure.reason : decodingError(coding, error);
        }
      },
      cancel(reason) {
        reader?.cancel(reason).catch(() => {});
        source.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

async function open(source: Source, coding: string): Promise<ReadableStream<Uint8Array>> {
  const start = await source.peek();
  const pieces = source.stream();
  if (start.length === 0) return pieces;
  const named = formats.get(coding) ?? coding;
  const format = named === 'deflate' && !isZlib(start) ? 'deflate-raw' : named;
  const decoder = new DecompressionStream(format as CompressionFormat);
  return pieces.pipeThrough(decoder as ReadableWritablePair<Uint8Array, Uint8Array>);
}

/** The body in small pieces; it remembers the failure that is not the decoder's. */
class Source {
  failure: { reason: unknown } | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader();
  }

  /** The first two bytes or more; fewer when there are no more. */
  async peek(): Promise<Uint8Array> {
    while (this.#rest.length < 2) {
      const next = await this.#read();
      if (!next) break;
      const joined = new Uint8Array(this.#rest.length + next.length);
      joined.set(this.#rest);
      joined.set(next, this.#rest.length);
      this.#rest = joined;
    }
    return this.#rest;
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async controller => {
          while (this.#rest.length === 0) {
            const next = await this.#read();
            if (!next) return controller.close();
            this.#rest = next;
          }
          controller.enqueue(this.#rest.slice(0, PIECE_BYTES));
          this.#rest = this.#rest.subarray(PIECE_BYTES);
        },
        cancel: reason => this.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  cancel(reason: unknown): void {
    this.#reader.cancel(reason).catch(() => {});
  }

  async #read(): Promise<Uint8Array | undefined> {
    try {
      return (await this.#reader.read()).value;
    } catch (reason) {
      this.failure = { reason };
      throw reason;
    }
  }
}

/** RFC 1950 section 2.2: the method 8 and a check of the first two bytes. */
function isZlib([first = 0, second = 0]: Uint8Array): boolean {
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}

function isSupported(format: string): boolean {
  let known = supported.get(format);
  if (known === undefined) {
    try {
      new DecompressionStream(format as CompressionFormat);
      known = true;
    } catch {
      known = false;
    }
    supported.set(format, known);
  }
  return known;
}

function decodingError(coding: string, cause: unknown): TypeError {
  const what = isSupported(formats.get(coding) ?? '')
    ? `the body is not valid ${coding}`
    : `this platform cannot decode ${coding}`;
  return fetchError(new MtlsError('ERR_HTTP_DECODING', `HTTP: ${what}.`, { cause })) as TypeError;
}
