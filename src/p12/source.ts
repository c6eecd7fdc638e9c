import { isA, isBlob } from '../platform.js';
import { concatenated } from '../util/bytes.js';
import { malformed } from './errors.js';

interface ReadOptions {
  maxBytes: number;
  signal: AbortSignal | undefined;
}

/** A copy of the file's bytes, the caller's to wipe. */
export async function readSource(
  source: BufferSource | Blob | Response,
  options: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (isA(source, Response)) return readResponse(source, options);
  if (isBlob(source)) return readBlob(source, options);
  if (ArrayBuffer.isView(source)) return copy(source, options);
  if (isA(source, ArrayBuffer) || isA(source, ArrayBuffer, 'SharedArrayBuffer'))
    return copy(new Uint8Array(source), options);
  throw new TypeError('"source" must be an ArrayBuffer, a view of one, a Blob or a Response');
}

function copy(
  { buffer, byteOffset, byteLength }: ArrayBufferView,
  { maxBytes }: ReadOptions,
): Uint8Array<ArrayBuffer> {
  checkSize(byteLength, maxBytes);
  return Uint8Array.from(new Uint8Array(buffer, byteOffset, byteLength));
}

async function readBlob(blob: Blob, { maxBytes }: ReadOptions): Promise<Uint8Array<ArrayBuffer>> {
  checkSize(blob.size, maxBytes);
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw malformed('The file could not be read.', cause);
  }
}

async function readResponse(
  response: Response,
  { maxBytes, signal }: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (response.bodyUsed) throw new TypeError('"source" must be a Response whose body has not been read');
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
      checkSize(size, maxBytes);
    }
    signal?.throwIfAborted();
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
  return concatenated(chunks);
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

function checkSize(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw malformed(`The file is larger than ${maxBytes} bytes (limits.maxFileBytes).`);
}
