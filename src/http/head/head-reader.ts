import { MtlsError } from '../../errors.js';
import { concatenated } from '../../util/bytes.js';
import { fromLatin1, toLatin1 } from '../../util/encoding.js';
import type { ResponseHead } from '../http-engine.js';
import { statusFault } from './head-fault.js';
import { type HeadLines, readHeadLines } from './head-lines.js';

/** What a server may send over HTTP/1.1 until a response's head is complete: informational responses, above all. */
const MAX_BYTES = 1024 * 1024;
/** The engine's limits: a head beyond them is for it to refuse. */
const MAX_HEAD_BYTES = 256 * 1024;
const MAX_LINES = 1 + 256;
const MAX_PIECES = 1024;

const SWITCHING_PROTOCOLS = 101;
const [LF, CR] = [0x0a, 0x0d];
/** How every head begins, in any case. */
const START = 'http/';

/**
 * Holds the head of one HTTP/1.1 response back until it is complete, and gives it to the engine in valid lines; likewise the
 * informational responses before it.
 */
export class HeadReader {
  /** Lines were not valid: the connection is not to be used again. */
  mended = false;
  /** Why the engine refuses the response's head, if it does. */
  fault: MtlsError | undefined;

  #bytes = 0;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Of the line that is being received, CRs not counted. */
  #lineBytes = 0;
  #lines = 0;
  /** Bytes of the head that are in START. */
  #started = 0;
  /** Nothing is held back any more. */
  #done = false;
  #final: HeadLines | undefined;

  /**
   * Gives what the engine is to get now.
   *
   * @throws MtlsError ERR_HTTP_PROTOCOL, ERR_HTTP_HEADERS_TOO_LARGE
   */
  read(bytes: Uint8Array): Uint8Array {
    if (this.#done) return bytes;
    if (this.#bytes === 0 && isHttp2(bytes)) throw speaksHttp2();
    const given: Uint8Array[] = [];
    let unread = bytes;
    while (!this.#done && unread.length > 0) {
      const end = this.#endOfHead(unread);
      this.#hold(unread.subarray(0, end));
      if (end) given.push(this.#complete());
      else if (this.#heldBytes > MAX_HEAD_BYTES) this.#done = true;
      unread = unread.subarray(end ?? unread.length);
    }
    if (this.#done) given.push(this.rest(), unread);
    return joined(given);
  }

  /** Nothing is held back or looked at any more. */
  get done(): boolean {
    return this.#done && this.#held.length === 0;
  }

  /** Gives what is held back, because nothing more comes. */
  rest(): Uint8Array {
    const rest = joined(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    return rest;
  }

  /** The response's head as the page is to see it. */
  shown(head: ResponseHead): ResponseHead {
    if (!this.#final) return head;
    const { statusText, mended } = this.#final;
    return { ...head, statusText, headers: mended?.headers ?? head.headers };
  }

  /** Where these bytes go beyond the empty line that ends the head, if they do. */
  #endOfHead(bytes: Uint8Array): number | undefined {
    for (let start = 0; start < bytes.length && !this.#done; ) {
      const feed = bytes.indexOf(LF, start);
      const end = feed < 0 ? bytes.length : feed;
      this.#followLine(bytes, start, end);
      start = end + 1;
      if (feed < 0 || this.#started === 0) continue;
      if (this.#lineBytes === 0) return start;
      this.#lineBytes = 0;
      if (++this.#lines > MAX_LINES) this.#done = true;
    }
    return undefined;
  }

  /** A part of a line, from here to there. */
  #followLine(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && this.#started < START.length && !this.#done) {
      const byte = bytes[at++] as number;
      if (byte === CR) continue;
      this.#lineBytes++;
      // What does not begin like a head is for the engine to refuse, at once.
      if ((byte | 0x20) === START.charCodeAt(this.#started++)) continue;
      this.#done = true;
      this.fault = statusFault('');
    }
    // The rest of a line matters only so far as it is more than CRs.
    while (at < end && this.#lineBytes === 0) if (bytes[at++] !== CR) this.#lineBytes++;
  }

  #hold(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_BYTES) {
      throw new MtlsError(
        'ERR_HTTP_HEADERS_TOO_LARGE',
        'HTTP: the server sends informational responses without end.',
      );
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    // Single bytes take much more memory than they are worth.
    if (this.#held.length > MAX_PIECES) this.#held = [concatenated(this.#held)];
  }

  /** Gives the head that is held back. */
  #complete(): Uint8Array {
    const bytes = this.rest();
    [this.#lineBytes, this.#lines, this.#started] = [0, 0, 0];
    const lines = readHeadLines(fromLatin1(bytes));
    if (!('status' in lines)) {
      this.#done = true;
      this.fault = lines.fault;
      return bytes;
    }
    const informational = lines.status >= 100 && lines.status < 200;
    if (!informational || lines.status === SWITCHING_PROTOCOLS) {
      this.#done = true;
      this.#final = lines;
      this.fault = lines.fault;
    }
    if (!lines.mended) return bytes;
    this.mended = true;
    return toLatin1(lines.mended.text);
  }
}

/** Without a copy where one of them is all. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first, another] = pieces.filter(({ length }) => length > 0);
  return first && !another ? first : concatenated(pieces);
}

/** What an HTTP/2 server says first: SETTINGS, which is a frame of type 4 for stream 0 (RFC 9113 section 3.4). */
function isHttp2(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0) return false;
  const [, , , type, flags, ...stream] = bytes.subarray(0, 9);
  return type === 4 && flags === 0 && stream.length === 4 && stream.every(it => it === 0);
}

function speaksHttp2(): MtlsError {
  return new MtlsError(
    'ERR_HTTP_PROTOCOL',
    'HTTP: the server speaks HTTP/2, and has not chosen it by ALPN. Have it choose h2 there; for a WebSocket, have it speak HTTP/1.1.',
  );
}
