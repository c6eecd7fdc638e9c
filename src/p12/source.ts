import { malformed } from './errors.js';

/** 10 MiB: thousands of times an honest file. */
export const MAX_FILE_BYTES = 10 * 1024 * 1024;

/** A copy of the file's bytes, the caller's to wipe. */
export async function readSource(
  source: BufferSource | Blob | Response,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if (source instanceof Response) return readResponse(source, signal);
  if (source instanceof Blob) {
    checkSize(source.size);
    try {
      return new Uint8Array(await source.arrayBuffer());
    } catch (cause) {
      throw malformed('The file could not be read.', cause);
    }
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    checkSize(source.byteLength);
    const view = ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
    return view.slice();
  }
  throw new TypeError('the source is an ArrayBuffer, a view of one, a Blob or a Response');
}

async function readResponse(response: Response, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (response.bodyUsed) throw new TypeError('the body of the response has been read already');
  if (!response.ok) throw malformed(`There is no file: the server answered ${response.status}.`);
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array();
  const cancel = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener('abort', cancel, { once: true });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (let next = await readChunk(reader); next; next = await readChunk(reader)) {
      signal?.throwIfAborted();
      size += next.length;
      chunks.push(next);
      checkSize(size);
    }
    signal?.throwIfAborted();
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

async function readChunk(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    return (await reader.read()).value;
  } catch (cause) {
    // An abort of the fetch itself is its caller's, and stays what it is.
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw malformed('The response broke off.', cause);
  }
}

function checkSize(bytes: number): void {
  if (bytes > MAX_FILE_BYTES)
    throw malformed(`The file is larger than ${MAX_FILE_BYTES} bytes: that is no PKCS#12 file.`);
}
