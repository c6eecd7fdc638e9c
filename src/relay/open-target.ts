import { connect, type Socket } from 'node:net';
import type { UnreachableReason } from '../tunnel/close-codes.js';
import { MAX_DATA_BYTES } from '../tunnel/limits.js';

// With several addresses to try, the time for each: Node's own 250 ms gives up on targets that are merely far away.
const ATTEMPT_TIMEOUT_MS = 2000;

/**
 * Starts a TCP connection. `onBytes` gets what arrives in a buffer that is used again after the call; when it returns `false`,
 * reading stops until `resume`.
 */
export function openTarget(host: string, port: number, onBytes: (bytes: Uint8Array) => boolean): Socket {
  return connect({
    host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
    onread: {
      buffer: Buffer.allocUnsafeSlow(MAX_DATA_BYTES),
      callback: (length, buffer) => onBytes(buffer.subarray(0, length)),
    },
  });
}

/** What kept a connection from being made, in the words of the close reason. */
export function unreachableReason(error: NodeJS.ErrnoException): UnreachableReason {
  const code = error.code ?? '';
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ETIMEDOUT') return 'timeout';
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) return 'dns';
  return 'network';
}
