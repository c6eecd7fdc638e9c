/** Byte N of what the demo server sends on `/bytes`, and of what the page sends to `/echo`, is known: so each can be checked. */
const BLOCK_BYTES = 64 * 1024;
const BLOCK = Uint8Array.from({ length: BLOCK_BYTES }, (_, index) => index % 251);

/** Reads a body to its end, calling `onChunk` for each piece. */
export async function readAll(
  body: ReadableStream<Uint8Array> | null,
  onChunk: (chunk: Uint8Array) => void,
): Promise<void> {
  const reader = body?.getReader();
  if (!reader) return;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onChunk(value);
  }
}

/** Checks the bytes of a transfer as they come in. */
export class PatternCheck {
  received = 0;
  intact = true;

  add(chunk: Uint8Array): void {
    for (let done = 0; done < chunk.length && this.intact; ) {
      const start = this.received % BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES - start, chunk.length - done);
      this.intact = same(chunk.subarray(done, done + length), BLOCK.subarray(start, start + length));
      this.received += length;
      done += length;
    }
  }
}

/** A body of `size` bytes of the pattern, made only as fast as it is taken. */
export function patternStream(size: number): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent === size) {
        controller.close();
        return;
      }
      const chunk = BLOCK.slice(0, Math.min(BLOCK_BYTES, size - sent));
      sent += chunk.length;
      controller.enqueue(chunk);
    },
  });
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, index) => byte === b[index]);
}
