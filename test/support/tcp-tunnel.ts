import { connect } from 'node:net';
import type { Tunnel, TunnelStream } from '../../src/index.js';
import { MtlsError } from '../../src/index.js';

/** Straight to a port of this machine, without a relay. (Node's own `Duplex.toWeb` throws when a peer closes in the middle of `close()`.) */
export function dialTcp(port: number): TunnelStream {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const reset = new MtlsError('ERR_TUNNEL_RESET', 'the connection was reset');
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      socket.on('data', chunk => {
        controller.enqueue(new Uint8Array(chunk));
        if ((controller.desiredSize ?? 0) <= 0) socket.pause();
      });
      socket.on('end', () => controller.close());
      socket.on('error', () => controller.error(reset));
    },
    pull: () => void socket.resume(),
    cancel: () => void socket.destroy(),
  });
  const settled = (resolve: () => void, reject: (error: Error) => void) => (error?: Error | null) =>
    error ? reject(reset) : resolve();
  const writable = new WritableStream<Uint8Array>({
    write: chunk => new Promise<void>((resolve, reject) => socket.write(chunk, settled(resolve, reject))),
    close: () => new Promise<void>((resolve, reject) => socket.end(settled(resolve, reject))),
    abort: () => void socket.destroy(),
  });
  return { readable, writable };
}

export const tcpTunnel: Tunnel = { connect: async ({ port }) => dialTcp(port) };
