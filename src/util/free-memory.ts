/** From this much on it pays. */
const LEAST_BYTES = 4 * 1024;

type Transferable = ArrayBuffer & { transfer?(length: number): ArrayBuffer };

/** What is sent here is dropped, and so is the memory that goes along. */
let nowhere: MessagePort | undefined;

/**
 * Frees the buffers under arrays at once, where the platform can: garbage collection comes late, and new memory takes longer to get than to
 * fill. Nothing can be read of them afterwards. Small ones are left alone.
 */
export function freeMemory(arrays: readonly Uint8Array[]): void {
  const buffers = arrays.map(({ buffer }) => buffer as Transferable);
  const large = buffers.filter(({ byteLength }) => byteLength >= LEAST_BYTES);
  if (large.length === 0) return;
  // Chromium holds the memory of WebSocket messages and of what WebCrypto gives until a collection, unless it is sent away.
  if (isChromium()) {
    nowhere ??= portWithoutPeer();
    nowhere.postMessage(undefined, large);
  } else for (const buffer of large) buffer.transfer?.(0);
}

/** The others free it by `transfer`, and take long to send it. */
function isChromium(): boolean {
  return (globalThis.navigator as { userAgentData?: unknown } | undefined)?.userAgentData !== undefined;
}

function portWithoutPeer(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
}
