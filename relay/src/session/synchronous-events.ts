import type { WebSocket } from 'ws';

interface Receiver {
  _allowSynchronousEvents?: boolean;
}

/**
 * Whether a WebSocket tells all messages of a read in one turn, or one in each. `ws` decides that when a WebSocket opens and has no
 * public way to change it later; with a `ws` that knows nothing of this, each message goes on taking a turn.
 */
export function tellAtOnce(webSocket: WebSocket, atOnce: boolean): void {
  const { _receiver: receiver } = webSocket as { _receiver?: Receiver };
  if (receiver?._allowSynchronousEvents === !atOnce) receiver._allowSynchronousEvents = atOnce;
}
