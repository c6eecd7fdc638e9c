import type { Socket } from 'node:net';

const END = '\r\n\r\n';
/** Node's own limit, beyond which it refuses a request. */
const MAX_BYTES = 16_384;

/**
 * Waits for the head of a connection's first request, leaves it to be read, and calls back with what came behind it.
 *
 * Node parses all that a read has brought in one go, which may be a thousand requests.
 */
export function takeRequestHead(socket: Socket, onHead: (head: Buffer, rest: Buffer) => void): void {
  let received = Buffer.alloc(0);
  const onEnd = () => socket.destroy();
  const onData = (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const end = received.indexOf(END);
    // What is no request is HTTP's to refuse.
    if (end < 0 && received.length < MAX_BYTES && isCapital(received[0])) return;
    socket.off('data', onData).off('end', onEnd).pause();
    const headBytes = end < 0 ? received.length : end + END.length;
    onHead(received.subarray(0, headBytes), received.subarray(headBytes));
  };
  socket.on('data', onData).on('end', onEnd);
}

/** Methods are written in capital letters. */
function isCapital(byte = 0): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}
