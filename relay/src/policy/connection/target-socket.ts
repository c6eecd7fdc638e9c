import { Socket, type TcpNetConnectOpts } from 'node:net';
import type { UnreachableReason } from '../../../../src/tunnel/wire/codes.js';
import { TargetUnreachableError } from '../target-error.js';

export interface TargetListener {
  /** Where to read to. Each read leaves it before the next one: all targets can share it. */
  buffer: Uint8Array;
  /** Gets what arrives, valid during the call; when it returns `false`, reading stops until `resume`. */
  onBytes: (bytes: Uint8Array) => boolean;
  /** Called once; nothing more can be written, and the write that failed never completes. What has arrived is still read. */
  onWriteFailed: (error: NodeJS.ErrnoException) => void;
}

export interface AttemptOptions {
  listener: TargetListener;
  signal: AbortSignal;
}

/**
 * Makes one TCP connection, to an address. Rejects with a {@link TargetUnreachableError}, or with the signal's reason.
 *
 * The signal has no effect on a connection that stands.
 */
export function openTargetSocket(
  address: string,
  port: number,
  { listener, signal }: AttemptOptions,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = new TargetSocket(listener);
    const end = () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect).off('error', onError);
    };
    const fail = (reason: unknown) => {
      end();
      // A socket that is destroyed may still have an error to tell.
      socket.on('error', () => {}).destroy();
      reject(reason);
    };
    const onAbort = () => fail(signal.reason);
    const onError = (error: NodeJS.ErrnoException) => {
      fail(new TargetUnreachableError(unreachableReason(error), error));
    };
    const onConnect = () => {
      end();
      resolve(socket);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', onError).on('connect', onConnect).connect({ host: address, port });
  });
}

type Callback = (error?: Error | null) => void;

/**
 * Node destroys a socket when a write fails, and drops what it has not read. But a server that answers early, and hangs up
 * without having read the whole request, makes writes fail, and its answer is still to be read.
 */
class TargetSocket extends Socket {
  readonly #onWriteFailed: TargetListener['onWriteFailed'];

  constructor({ buffer, onBytes, onWriteFailed }: TargetListener) {
    const options: Partial<TcpNetConnectOpts> = {
      allowHalfOpen: true,
      // Node reads these two in the constructor; `connect` ignores them.
      noDelay: true,
      keepAlive: true,
      onread: { buffer, callback: (length, bytes) => onBytes(bytes.subarray(0, length)) },
    };
    super(options);
    this.#onWriteFailed = onWriteFailed;
  }

  override _write(chunk: unknown, encoding: BufferEncoding, callback: Callback): void {
    super._write(chunk, encoding, error => this.#written(error, callback));
  }

  // Takes the place of `_write` for what has been corked.
  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], callback: Callback): void {
    super._writev?.(chunks, error => this.#written(error, callback));
  }

  #written(error: Error | null | undefined, callback: Callback): void {
    if (error && !this.destroyed) this.#onWriteFailed(error);
    else callback(error);
  }
}

/**
 * Ends a connection both ways at once. By a reset, because an orderly end would tell the target that the page had said all that it had
 * to say, unless that has been told: then Node cannot reset it, and would leave its descriptor open.
 */
export function resetTarget(socket: Socket): void {
  const saidAll = socket.writableEnded && socket.writableLength === 0;
  if (saidAll) socket.destroy();
  else socket.resetAndDestroy();
}

/** What kept a connection from being made, in the words of RESET's reason. */
function unreachableReason({ code }: NodeJS.ErrnoException): UnreachableReason {
  if (code === 'ECONNREFUSED') return 'refused';
  return code === 'ETIMEDOUT' ? 'timeout' : 'network';
}
