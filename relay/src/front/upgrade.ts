import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { SUBPROTOCOL } from '../../../src/tunnel/wire/limits.js';

/** Time for another listener of a shared server to take an upgrade that is not for the relay's path. */
const UNTAKEN_TIMEOUT_MS = 10_000;

/**
 * Refuses an upgrade that no other listener answers in time. Calls `onTaken` when one has; the function that it returns tells
 * whether.
 */
export function refuseUnlessTaken(socket: Socket, onTaken: () => void): () => boolean {
  const { bytesWritten } = socket;
  const isTaken = () => socket.bytesWritten > bytesWritten;
  setImmediate(() => {
    if (isTaken()) onTaken();
  });
  const timer = setTimeout(() => {
    if (isTaken()) onTaken();
    else refuse(socket, 404);
  }, UNTAKEN_TIMEOUT_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  return isTaken;
}

export function refuse(socket: Socket, status: number): void {
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Several headers of this name are one list (RFC 9110 section 5.3). */
export function forwardedForOf(request: IncomingMessage): string | undefined {
  return request.headersDistinct['x-forwarded-for']?.join(',');
}

export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').replace(/\?.*$/s, '');
}

export function offersSubprotocol(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some(each => each.trim() === SUBPROTOCOL);
}
