import type { MtlsClient } from '../client/mtls-client.js';
import { describeError } from '../errors.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { ASK, BEAT, BEAT_INTERVAL_MS, type RequestMessage, type ToPage, type ToWorker } from './messages.js';

/** Options of `serveRequests`. */
export interface ServeOptions {
  /** Called with the error of each failed request. The caller of the request sees only a network error. Default: none. */
  onError?: (error: unknown, request: { method: string; url: string }) => void;
}

const names: OptionNames<ServeOptions> = { onError: true };

/**
 * In a page: answers the requests that a service worker with `routeRequests` hands over, by the client's `fetch` (`docs/service-worker.md`).
 * They may come from this page, and from other pages and workers of the origin.
 *
 * @returns a function after which no further requests are taken
 * @throws TypeError for wrong options, and in an insecure context, where there are no service workers
 */
export function serveRequests(client: Pick<MtlsClient, 'fetch'>, options: ServeOptions = {}): () => void {
  checkOptionNames(options, names);
  const { onError } = options;
  if (onError !== undefined && typeof onError !== 'function')
    throw new TypeError('"onError" must be a function');
  if (typeof client?.fetch !== 'function')
    throw new TypeError('"client" must be a client, as createClient returns it');
  const workers = globalThis.navigator?.serviceWorker;
  if (!workers)
    throw new TypeError('"serveRequests" must be called in a page that may have a service worker');
  const onMessage = ({ data, ports: [port], source }: MessageEvent) => {
    if (data?.type !== ASK || !port) return;
    serve({ client, onError, port, worker: source as ServiceWorker | null });
  };
  workers.addEventListener('message', onMessage);
  workers.startMessages();
  return () => workers.removeEventListener('message', onMessage);
}

interface Service {
  client: Pick<MtlsClient, 'fetch'>;
  onError: ServeOptions['onError'];
  port: MessagePort;
  worker: ServiceWorker | null;
}

/** Answers one request. */
function serve({ client, onError, port, worker }: Service): void {
  const say = (message: ToWorker, transfer: Transferable[] = []) => port.postMessage(message, transfer);
  const controller = new AbortController();
  let pull = () => {};
  const pulled = () =>
    new Promise<void>(resolve => {
      pull = resolve;
    });
  async function send(request: RequestMessage): Promise<void> {
    const { url, ...init } = request;
    const beat = setInterval(() => {
      worker?.postMessage({ type: BEAT });
      say({ type: 'beat' });
    }, BEAT_INTERVAL_MS);
    try {
      const wanted = pulled();
      const response = await client.fetch(url, {
        ...init,
        body: init.body ?? null,
        signal: controller.signal,
      });
      const { status, statusText, headers, body } = response;
      say({ type: 'head', status, statusText, headers: [...headers], hasBody: body !== null });
      if (body) await transfer(body, wanted);
    } catch (error) {
      say({ type: 'failed', ...describeError(error) });
      if (!controller.signal.aborted) onError?.(error, { method: request.method, url });
    } finally {
      clearInterval(beat);
    }
  }

  async function transfer(body: ReadableStream<Uint8Array>, wanted: Promise<void>): Promise<void> {
    const reader = body.getReader();
    let bytes = 0;
    for (let next = wanted; ; ) {
      await next;
      next = pulled();
      const { done, value } = await reader.read();
      if (done) break;
      const whole = value.byteLength === value.buffer.byteLength ? value : value.slice();
      bytes += whole.byteLength;
      say({ type: 'chunk', bytes: whole as Uint8Array<ArrayBuffer> }, [whole.buffer as ArrayBuffer]);
    }
    say({ type: 'end', bytes });
  }

  port.onmessage = ({ data }: MessageEvent<ToPage>) => {
    if (data.type === 'send') void send(data.request);
    else if (data.type === 'pull') pull();
    else {
      // Nobody waits for a pull any longer either.
      controller.abort();
      pull();
    }
  };
  say({ type: 'accept' });
}
