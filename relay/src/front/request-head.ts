import type { Socket } from 'node:net';
import { ReceivedBytes } from '../received-bytes.js';

const END = '\r\n\r\n';
/** Node's own limit. */
const MAX_BYTES = 16_384;

/** The head of a connection's first request, and what came behind it. */
export interface RequestHead {
  head: Buffer;
  rest: Buffer;
}

/**
 * Waits for the head of a connection's first request, and calls back with it while the socket is paused; with an HTTP status when it
 * is none, or too large.
 *
 * Node parses all that it gets in one go, which may be a thousand requests. So it gets nothing but one head.
 */
export function takeRequestHead(socket: Socket, onHead: (head: RequestHead | 400 | 431) => void): void {
  const received = new ReceivedBytes();
  const onEnd = () => socket.destroy();
  const onData = (chunk: Buffer) => {
    // The end may have begun in what came before.
    const searchFrom = Math.max(0, received.length - END.length + 1);
    received.push(chunk);
    const found = headOf(received.bytes, searchFrom);
    if (found === 'more') return;
    socket.off('data', onData).off('end', onEnd).pause();
    onHead(found);
  };
  socket.on('data', onData).on('end', onEnd);
}

function headOf(bytes: Buffer, searchFrom: number): RequestHead | 400 | 431 | 'more' {
  if (!isCapital(bytes[0])) return 400;
  const at = bytes.indexOf(END, searchFrom);
  const headBytes = at < 0 ? bytes.length : at + END.length;
  if (headBytes > MAX_BYTES) return 431;
  return at < 0 ? 'more' : { head: bytes.subarray(0, headBytes), rest: bytes.subarray(headBytes) };
}

/** Methods are written in capital letters. Node would skip empty lines in front of them, and then parse all that follows. */
function isCapital(byte = 0): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}
