/** What a promise gives, unless the signal comes first: then its reason. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const forget = () => signal.removeEventListener('abort', onAbort);
    promise.then(resolve, reject).finally(forget);
  });
}
