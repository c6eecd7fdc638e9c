import type { WebSocket } from 'ws';

interface Receiver {
  _allowSynchronousEvents?: boolean;
}

/**
 * From now on a WebSocket tells all messages of a read in one turn. `ws` decides that when a WebSocket opens and has no public way to
 * change it later; with a `ws` that knows nothing of this, each message goes on taking a turn.
 */
export function tellAtOnce(webSocket: WebSocket): void {
  const { _receiver: receiver } = webSocket as { _receiver?: Receiver };
  if (receiver?._allowSynchronousEvents === false) receiver._allowSynchronousEvents = true;
}
