import { BEAT_INTERVAL_MS, type ToPage, type ToWorker } from './messages.js';

/** A page that has said nothing for so long has been closed or frozen. */
const SILENCE_MS = 2.5 * BEAT_INTERVAL_MS;

/** Receives one response from a page. */
export class ResponseReceiver {
  /** Rejects with the reason for which there is none. */
  readonly head: Promise<Response>;
  #port: MessagePort;
  #resolve!: (response: Response) => void;
  #reject!: (error: unknown) => void;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  #pulled: (() => void) | undefined;
  #bytes = 0;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  constructor(port: MessagePort, signal: AbortSignal) {
    this.#port = port;
    this.head = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    port.onmessage = ({ data }: MessageEvent<ToWorker>) => this.#take(data);
    this.#listen();
    signal.addEventListener('abort', () => this.#cancel(signal.reason));
    if (signal.aborted) this.#cancel(signal.reason);
  }

  #take(message: ToWorker): void {
    if (this.#over) return;
    this.#listen();
    switch (message.type) {
      case 'head':
        this.#resolve(new Response(message.hasBody ? this.#stream() : null, message));
        if (!message.hasBody) this.#end();
        return;
      case 'chunk':
        this.#bytes += message.bytes.byteLength;
        this.#body?.enqueue(message.bytes);
        this.#settlePull();
        return;
      case 'end':
        if (message.bytes !== this.#bytes) this.#fail(new Error('Some of the response has been lost.'));
        else {
          this.#body?.close();
          this.#end();
        }
        return;
      case 'failed':
        this.#fail(Object.assign(new Error(message.message), { code: message.code }));
    }
  }

  #stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#body = controller;
        },
        pull: () =>
          new Promise(resolve => {
            this.#pulled = resolve;
            this.#say({ type: 'pull' });
          }),
        cancel: reason => this.#cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  #say(message: ToPage): void {
    this.#port.postMessage(message);
  }

  #cancel(reason: unknown): void {
    if (this.#over) return;
    this.#say({ type: 'cancel' });
    this.#fail(reason);
  }

  #fail(error: unknown): void {
    this.#reject(error);
    this.#end();
    try {
      this.#body?.error(error);
    } catch {
      // It has been cancelled.
    }
  }

  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(
      () => this.#fail(new Error('The page that had the connection was closed, or is frozen.')),
      SILENCE_MS,
    );
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#silence);
    this.#settlePull();
    // What was said last still arrives.
    this.#port.onmessage = null;
  }

  #settlePull(): void {
    const pulled = this.#pulled;
    this.#pulled = undefined;
    pulled?.();
  }
}
