import { MtlsError } from '../../errors.js';
import { fetchError } from '../../http/fetch-error.js';
import { valuesOf } from '../../http/http-engine.js';
import type { RawResponse } from '../../http/raw-response.js';
import { type Decoders, decoderPart, isDecodedByPlatform } from './decoders.js';
import type { Format } from './wasm-decoder.js';

/** Codings for `Accept-Encoding`, with the formats that each may come in. */
const offered: Record<string, Format[]> = {
  gzip: ['gzip'],
  deflate: ['deflate', 'deflate-raw'],
  br: ['brotli'],
  zstd: ['zstd'],
};

const allCodings = /* @__PURE__ */ Object.keys(offered).join(', ');

/** Content codings and their formats. `deflate` is told from its raw form by its first bytes. */
const formats = new Map<string, Format>([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'brotli'],
  ['zstd', 'zstd'],
]);
/** More codings in a row than this are an attack. */
const MAX_CODINGS = 5;
/** A piece of this size becomes a few megabytes at most where the platform decodes it, so that a reader who stops is not flooded. */
const PIECE_BYTES = 4096;

/** The value of `Accept-Encoding`: every coding that can be decoded here. */
export function acceptedCodings(): string | Promise<string> {
  return decoderPart.isAvailable ? allCodings : codingsOfPlatform();
}

async function codingsOfPlatform(): Promise<string> {
  const decodes = async (coding: string) => {
    const formats = await Promise.all((offered[coding] ?? []).map(isDecodedByPlatform));
    return formats.every(Boolean) ? [coding] : [];
  };
  return (await Promise.all(Object.keys(offered).map(decodes))).flat().join(', ') || 'identity';
}

/**
 * The response with its body decoded (RFC 9110 section 8.4). A body with a coding that is not known is left as it is. Reads fail
 * with ERR_HTTP_DECODING when the body is damaged, or when the decoders cannot be loaded.
 */
export function decodeContent(response: RawResponse, decoders: Decoders): RawResponse {
  const codings = codingsOf(response);
  if (codings.length === 0 || !codings.every(coding => formats.has(coding))) return response;
  if (codings.length > MAX_CODINGS) {
    response.body.cancel().catch(() => {});
    throw new MtlsError('ERR_HTTP_DECODING', `HTTP: the body has ${codings.length} content codings.`);
  }
  const body = codings.reduceRight((coded, coding) => decoded(coded, coding, decoders), response.body);
  return { ...response, body };
}

function codingsOf({ head }: RawResponse): string[] {
  return valuesOf(head, 'content-encoding')
    .flatMap(value => value.toLowerCase().split(','))
    .map(coding => coding.trim())
    .filter(coding => coding !== '' && coding !== 'identity');
}

/** An empty body stays empty, as in browsers. */
function decoded(
  body: ReadableStream<Uint8Array>,
  coding: string,
  decoders: Decoders,
): ReadableStream<Uint8Array> {
  const source = new Source(body);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const start = reader ? undefined : await source.peek();
          if (start?.length === 0) return controller.close();
          if (start) {
            const opened = await decoders.decode(formatOf(coding, start), () => source.next());
            reader = opened.getReader();
          }
          const next = await reader?.read();
          if (next?.value) controller.enqueue(next.value);
          else controller.close();
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

function formatOf(coding: string, start: Uint8Array): Format {
  const format = formats.get(coding) as Format;
  return format === 'deflate' && !isZlib(start) ? 'deflate-raw' : format;
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

  /** The next piece; undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const next = await this.#read();
      if (!next) return undefined;
      this.#rest = next;
    }
    const piece = this.#rest.slice(0, PIECE_BYTES);
    this.#rest = this.#rest.subarray(PIECE_BYTES);
    return piece;
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

function decodingError(coding: string, cause: unknown): unknown {
  if (cause instanceof MtlsError) return fetchError(cause);
  const message = `HTTP: the body is not valid ${coding}.`;
  return fetchError(new MtlsError('ERR_HTTP_DECODING', message, { cause }));
}
