import { concatenated } from '../../util/bytes.js';
import { freeMemory } from '../../util/free-memory.js';

/** So much is reserved for a body because a server announces it. What is not written takes no memory. */
const MOST_RESERVED_BYTES = 1024 ** 3;

const unshared = new WeakSet<ReadableStream>();

/** Says that nobody but its reader gets the chunks of a stream, and their memory. `readAll` frees it. */
export function noteUnshared(stream: ReadableStream): void {
  unshared.add(stream);
}

/**
 * Reads a stream to its end. Unlike the reading methods of a native `Response` (Chromium's say "Failed to fetch"
 * whatever happened), it rejects with the reason that the stream failed with. A body of the announced length is not held twice.
 */
export async function readAll(
  stream: ReadableStream<Uint8Array>,
  announcedBytes = 0,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const isUnshared = unshared.has(stream);
  const beyond: Uint8Array[] = [];
  let whole: Uint8Array<ArrayBuffer> | undefined;
  let end = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const { value } = next;
    whole ??= reserve(announcedBytes);
    if (end + value.length <= whole.length && beyond.length === 0) {
      whole.set(value, end);
      end += value.length;
      if (isUnshared) freeMemory([value]);
    } else beyond.push(value);
  }
  if (whole && end === whole.length && beyond.length === 0) return whole;
  return concatenated(whole ? [whole.subarray(0, end), ...beyond] : beyond);
}

function reserve(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes <= MOST_RESERVED_BYTES ? bytes : 0);
  } catch {
    // The platform has not so much in one piece: it may still have what really comes.
    return new Uint8Array(0);
  }
}
