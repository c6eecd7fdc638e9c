import { type BodyReader, readerOf } from '../../http/body/body-reader.js';
import { type RequestBody, wholeBody } from '../../http/body/request-body.js';
import { deferred } from '../../util/promises.js';

/** So much of the body of a platform's `Request` is read before sending, because its length cannot be known otherwise. */
const MEASURED_BYTES = 8 * 1024 * 1024;
/** So many are read at once, so that no more than 64 MiB of them are on their way into `Blob`s. */
const MEASURED_AT_ONCE = 8;
/** A body that has not ended by then is made as it goes. */
const MEASURING_MS = 2_000;

let measuring = 0;
const line: (() => void)[] = [];

/**
 * Reads a body to find out its length, when it is its turn. One that is too long, or not there in time, is sent as it comes, without a
 * length.
 */
export async function measured(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<RequestBody> {
  const reader = readerOf(stream);
  const onAbort = () => reader.cancel(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  await turn(signal);
  try {
    signal?.throwIfAborted();
    return await readStart(reader, signal);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    measuring--;
    line.shift()?.();
  }
}

/** Waits in line, but no longer than reading a body may take. */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  if (measuring >= MEASURED_AT_ONCE) {
    const { promise, resolve } = deferred<void>();
    line.push(resolve);
    const timer = setTimeout(resolve, MEASURING_MS);
    const onAbort = () => resolve();
    signal?.addEventListener('abort', onAbort, { once: true });
    await promise;
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    if (line.includes(resolve)) line.splice(line.indexOf(resolve), 1);
  }
  measuring++;
}

async function readStart(rest: BodyReader, signal: AbortSignal | undefined): Promise<RequestBody> {
  const start: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  let waiting: Promise<Uint8Array | undefined> | undefined;
  let isLate = false;
  let giveUp = () => {};
  const timer = setTimeout(() => {
    isLate = true;
    giveUp();
  }, MEASURING_MS);
  try {
    while (length < MEASURED_BYTES && !isLate) {
      const next = rest.next();
      waiting = next;
      const chunk = await new Promise<Uint8Array | 'late' | undefined>((resolve, reject) => {
        giveUp = () => resolve('late');
        next.then(resolve, reject);
      });
      signal?.throwIfAborted();
      if (chunk === 'late') break;
      waiting = undefined;
      if (!chunk) return wholeBody([new Blob(start)], null);
      start.push(chunk.slice());
      length += chunk.length;
    }
  } finally {
    clearTimeout(timer);
  }
  const next = () => {
    const chunk = start.shift();
    if (chunk) return Promise.resolve(chunk);
    const begun = waiting;
    waiting = undefined;
    return begun ?? rest.next();
  };
  return {
    length: undefined,
    contentType: null,
    replayable: false,
    open: () => ({ next, cancel: reason => rest.cancel(reason) }),
    abandon: reason => rest.cancel(reason),
  };
}
