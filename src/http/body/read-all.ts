import { concatenated } from '../../util/bytes.js';

/**
 * Reads a stream to its end. Unlike the reading methods of a native `Response` (Chromium's say "Failed to fetch"
 * whatever happened), it rejects with the reason that the stream failed with.
 */
export async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value);
  return concatenated(parts);
}
