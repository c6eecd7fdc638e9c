import { MtlsError } from '../errors.js';
import type { HostPort } from '../util/host-port.js';
import { Wakeup } from '../util/promises.js';
import { ChunkQueue } from './chunk-queue.js';
import { CloseCode } from './close-codes.js';
import { type Closing, closeError } from './close-error.js';
import { decodeFrame, encodeCredit, encodeData, encodeEnd } from './frames.js';
import { KeepAlive, type KeepAliveOptions } from './keep-alive.js';
import { creditThreshold, INITIAL_CREDIT_BYTES, MAX_DATA_BYTES } from './limits.js';
import type { TunnelStream } from './tunnel.js';

interface StreamOptions {
  address: HostPort;
  windowBytes: number;
  signal: AbortSignal | undefined;
  keepAlive: KeepAliveOptions;
}

/** Makes the byte streams of an open WebSocket on which HELLO has been sent. */
export function openWebSocketStream(webSocket: WebSocket, options: StreamOptions): TunnelStream {
  return new RelayedStream(webSocket, options);
}

class RelayedStream implements TunnelStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;

  readonly #webSocket: WebSocket;
  readonly #options: StreamOptions;
  readonly #onAbort = () => this.#giveUp(this.#options.signal?.reason);
  #readController: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Absent once the writable errors by itself: erroring it again while it aborts breaks Node's streams. */
  #writeController: WritableStreamDefaultController | undefined;

  /** Received, and not yet taken by the consumer. */
  readonly #received = new ChunkQueue();
  /** A read is waiting. */
  #wanted = false;
  /** Taken by the consumer, and not yet granted again. */
  #consumedBytes = 0;

  #accepted = false;
  /** Bytes that the relay still has room for. */
  #credit = INITIAL_CREDIT_BYTES;
  /** Bytes sent that the relay has not granted again. */
  #unacknowledgedBytes = 0;
  #writing = new Wakeup();

  /** The target has sent END. */
  #remoteEnded = false;
  #localEnded = false;
  #readableDone = false;
  #failure: { error: unknown } | undefined;
  readonly #keepAlive: KeepAlive;

  constructor(webSocket: WebSocket, options: StreamOptions) {
    this.#webSocket = webSocket;
    this.#options = options;
    this.readable = this.#createReadable();
    this.writable = this.#createWritable();
    options.signal?.addEventListener('abort', this.#onAbort);
    this.#keepAlive = new KeepAlive(webSocket, options.keepAlive, () => this.#onSilent());
    webSocket.onmessage = event => this.#onMessage(event.data);
    webSocket.onclose = event => this.#onClose(event);
  }

  // Nothing is queued inside the stream itself, so that a chunk counts as consumed only when somebody asked for it.
  #createReadable(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#readController = controller;
        },
        pull: () => {
          this.#wanted = true;
          this.#deliver();
        },
        cancel: reason => this.#giveUp(givenUpError(reason)),
      },
      { highWaterMark: 0 },
    );
  }

  #createWritable(): WritableStream<Uint8Array> {
    return new WritableStream<Uint8Array>({
      start: controller => {
        this.#writeController = controller;
        // The sink's own `abort` would come only after the write that may be waiting for credit.
        controller.signal.addEventListener('abort', () => {
          this.#writeController = undefined;
          this.#giveUp(givenUpError(controller.signal.reason));
        });
      },
      write: chunk => this.#write(chunk),
      close: () => this.#end(),
    });
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (!(chunk instanceof Uint8Array)) {
      const error = new TypeError('a tunnel takes chunks of Uint8Array');
      this.#giveUp(error);
      throw error;
    }
    for (let offset = 0; offset < chunk.length; ) {
      // ACCEPT ends the wait too, and may bring no credit.
      while (this.#credit === 0 && !this.#failure) await this.#writing.wait();
      if (this.#failure) throw this.#failure.error;
      const length = Math.min(chunk.length - offset, this.#credit, MAX_DATA_BYTES);
      this.#send(encodeData(chunk.subarray(offset, offset + length)));
      this.#credit -= length;
      this.#unacknowledgedBytes += length;
      offset += length;
    }
  }

  #end(): void {
    this.#localEnded = true;
    this.#send(encodeEnd());
    this.#releaseSignal();
  }

  #onMessage(data: unknown): void {
    if (this.#failure) return;
    this.#keepAlive.alive();
    const frame = data instanceof ArrayBuffer ? decodeFrame(new Uint8Array(data)) : undefined;
    switch (frame?.type) {
      case 'accept':
        this.#onAccept(frame.windowBytes);
        break;
      case 'data':
        this.#onData(frame.payload);
        break;
      case 'credit':
        this.#onCredit(frame.bytes);
        break;
      case 'end':
        this.#onEnd();
        break;
      case 'pong':
        break;
      default:
        this.#protocolError('a malformed message');
    }
  }

  #onAccept(windowBytes: number): void {
    if (this.#accepted) {
      this.#protocolError('a second ACCEPT');
      return;
    }
    this.#accepted = true;
    this.#credit += windowBytes - INITIAL_CREDIT_BYTES;
    this.#writing.wake();
  }

  #onData(payload: Uint8Array): void {
    if (!this.#accepted || this.#remoteEnded) {
      this.#protocolError('DATA out of turn');
      return;
    }
    const heldBytes = this.#received.byteLength + this.#consumedBytes;
    if (heldBytes + payload.length > this.#options.windowBytes) {
      this.#protocolError('more DATA than granted');
      return;
    }
    this.#received.push(payload);
    this.#deliver();
  }

  #onCredit(bytes: number): void {
    if (!this.#accepted || bytes > this.#unacknowledgedBytes) {
      this.#protocolError('CREDIT for nothing');
      return;
    }
    this.#unacknowledgedBytes -= bytes;
    this.#credit += bytes;
    this.#writing.wake();
  }

  #onEnd(): void {
    if (!this.#accepted || this.#remoteEnded) {
      this.#protocolError('END out of turn');
      return;
    }
    this.#remoteEnded = true;
    this.#releaseSignal();
    this.#deliver();
  }

  /** Hands one chunk to a waiting read, or ends the stream once all chunks are taken. */
  #deliver(): void {
    if (this.#wanted) {
      const chunk = this.#received.shift();
      if (chunk) {
        this.#wanted = false;
        this.#readController?.enqueue(chunk);
        this.#grant(chunk.length);
      }
    }
    if (this.#received.byteLength === 0) this.#finishReadable();
  }

  #finishReadable(): void {
    if (this.#readableDone || !(this.#remoteEnded || this.#failure)) return;
    this.#readableDone = true;
    if (this.#remoteEnded) this.#readController?.close();
    else this.#readController?.error(this.#failure?.error);
  }

  #grant(bytes: number): void {
    this.#consumedBytes += bytes;
    if (this.#remoteEnded || this.#failure) return;
    if (this.#consumedBytes < creditThreshold(this.#options.windowBytes)) return;
    this.#send(encodeCredit(this.#consumedBytes));
    this.#consumedBytes = 0;
  }

  #onClose(closing: Closing): void {
    this.#keepAlive.stop();
    if (this.#localEnded && this.#remoteEnded) return;
    this.#fail(closeError(closing, this.#options.address));
  }

  /** The WebSocket is not waited for: it may take minutes to notice. */
  #onSilent(): void {
    this.#webSocket.close(CloseCode.givenUp);
    this.#fail(
      new MtlsError(
        'ERR_TUNNEL_CLOSED',
        'the tunnel broke: the relay does not answer any more, or the network on the way to it is gone',
      ),
    );
  }

  #protocolError(what: string): void {
    this.#webSocket.close(CloseCode.protocol);
    this.#fail(
      new MtlsError(
        'ERR_TUNNEL_PROTOCOL',
        `the relay sent ${what}: use the same version of browser-mtls for page and relay`,
      ),
    );
  }

  /** Ends both directions from this side; what was received and not read is dropped. */
  #giveUp(error: unknown): void {
    this.#webSocket.close(CloseCode.givenUp);
    this.#received.clear();
    if (!this.#readableDone) {
      this.#readableDone = true;
      this.#readController?.error(error);
    }
    this.#fail(error);
  }

  /** Ends both directions; what was received before can still be read. */
  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#keepAlive.stop();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#writeController?.error(error);
    this.#writing.wake();
    if (this.#received.byteLength === 0) this.#finishReadable();
  }

  #releaseSignal(): void {
    if (this.#localEnded && this.#remoteEnded) {
      this.#options.signal?.removeEventListener('abort', this.#onAbort);
    }
  }

  #send(message: Uint8Array<ArrayBuffer>): void {
    this.#webSocket.send(message);
  }
}

function givenUpError(cause: unknown): MtlsError {
  return new MtlsError('ERR_TUNNEL_CLOSED', 'the tunnel was given up by this page', { cause });
}
