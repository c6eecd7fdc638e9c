import { MtlsError } from '../errors.js';

/** What a server may send over HTTP/1.1 before a response's head is complete: informational responses, above all. */
const MAX_BYTES = 1024 * 1024;

/** Counts what comes before the head of one response. */
export class BeforeHead {
  #bytes = 0;

  /** Undefined as long as it is within the limit. */
  add(bytes: number): MtlsError | undefined {
    this.#bytes += bytes;
    if (this.#bytes <= MAX_BYTES) return undefined;
    return new MtlsError(
      'ERR_HTTP_HEADERS_TOO_LARGE',
      'HTTP: the server sends informational responses without end.',
    );
  }
}
