import { connect, type Socket } from 'node:net';
import type { Tunnel, TunnelStream } from '../../src/index.js';
import { MtlsError } from '../../src/index.js';

/** What has come before a reset is not lost with the socket. */
const READ_AHEAD_CHUNKS = 16;

/** Straight to a port of this machine, without a relay. (Node's own `Duplex.toWeb` throws when a peer closes in the middle of `close()`.) */
export function dialTcp(port: number): TunnelStream {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const reset = new MtlsError('ERR_TUNNEL_RESET', 'the connection was reset');
  const settled = (resolve: () => void, reject: (error: Error) => void) => (error?: Error | null) =>
    error ? reject(reset) : resolve();
  const writable = new WritableStream<Uint8Array>({
    write: chunk => new Promise<void>((resolve, reject) => socket.write(chunk, settled(resolve, reject))),
    close: () => new Promise<void>((resolve, reject) => socket.end(settled(resolve, reject))),
    abort: () => void socket.destroy(),
  });
  return { readable: readableOf(socket, reset), writable };
}

/** An end or a failure comes behind all that was received. */
function readableOf(socket: Socket, reset: Error): ReadableStream<Uint8Array> {
  const received: Buffer[] = [];
  let over: 'end' | 'error' | undefined;
  let wake = () => {};
  const on = (event: 'data' | 'end' | 'error', act: (chunk: Buffer) => void) =>
    socket.on(event, (chunk: Buffer) => {
      act(chunk);
      wake();
    });
  on('data', chunk => {
    received.push(chunk);
    if (received.length >= READ_AHEAD_CHUNKS) socket.pause();
  });
  on('end', () => {
    over ??= 'end';
  });
  on('error', () => {
    over ??= 'error';
  });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (received.length === 0 && over === undefined) {
          socket.resume();
          await new Promise<void>(resolve => {
            wake = resolve;
          });
        }
        const chunk = received.shift();
        if (chunk) controller.enqueue(new Uint8Array(chunk));
        else if (over === 'end') controller.close();
        else controller.error(reset);
      },
      cancel: () => void socket.destroy(),
    },
    { highWaterMark: 0 },
  );
}

export const tcpTunnel: Tunnel = { connect: async ({ port }) => dialTcp(port) };
