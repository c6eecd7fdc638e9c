const HEADER_BYTES = 5;
const MAJOR_VERSION = 3;
/** Of a record's contents: 2^14 and the 2,048 by which TLS 1.2 lets encryption expand them (RFC 5246 section 6.2.3). */
const MAX_CONTENT_BYTES = 2 ** 14 + 2048;

/** The largest TLS record, with its header. */
export const MAX_RECORD_BYTES = HEADER_BYTES + MAX_CONTENT_BYTES;

/**
 * How many of the bytes are whole TLS records, at most `limit`; `undefined` when they are not TLS records at all.
 *
 * The first byte is the first of a record. Headers travel in the clear (RFC 8446 section 5.1): a content type from 20 to 24, a version
 * 3.x, and a length.
 */
export function wholeRecordsLength(bytes: Uint8Array, limit = Number.POSITIVE_INFINITY): number | undefined {
  let end = 0;
  for (;;) {
    const next = recordEnd(bytes, end);
    if (next === undefined) return undefined;
    if (next > bytes.length || next > limit) return end;
    end = next;
  }
}

/** Where the record at `start` ends, or would end for all that its bytes say; `undefined` for what no record starts with. */
function recordEnd(bytes: Uint8Array, start: number): number | undefined {
  const known = bytes.length - start;
  if (known > 0 && !isContentType(bytes[start])) return undefined;
  if (known > 1 && bytes[start + 1] !== MAJOR_VERSION) return undefined;
  if (known < HEADER_BYTES) return Number.POSITIVE_INFINITY;
  const contentBytes = ((bytes[start + 3] ?? 0) << 8) | (bytes[start + 4] ?? 0);
  return contentBytes > MAX_CONTENT_BYTES ? undefined : start + HEADER_BYTES + contentBytes;
}

function isContentType(type = 0): boolean {
  return type >= 20 && type <= 24;
}
