import { Socket, type TcpNetConnectOpts } from 'node:net';
import type { UnreachableReason } from '../../src/tunnel/codes.js';

// With several addresses to try, the time for each: Node's own 250 ms gives up on targets that are merely far away.
const ATTEMPT_TIMEOUT_MS = 2000;

export interface TargetListener {
  /** Where to read to: used again after each call of `onBytes`, so that all targets can share it. */
  buffer: Uint8Array;
  /** Gets what arrives, valid during the call; when it returns `false`, reading stops until `resume`. */
  onBytes: (bytes: Uint8Array) => boolean;
  /** Called once; nothing more can be written, and the write that failed never completes. What has arrived is still read. */
  onWriteFailed: (error: NodeJS.ErrnoException) => void;
}

/** Starts a TCP connection. */
export function openTarget(host: string, port: number, listener: TargetListener): Socket {
  return new TargetSocket(listener).connect({
    host,
    port,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
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

/** What kept a connection from being made, in the words of the RESET's reason. */
export function unreachableReason(error: NodeJS.ErrnoException): UnreachableReason {
  const code = error.code ?? '';
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ETIMEDOUT') return 'timeout';
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) return 'dns';
  return 'network';
}
