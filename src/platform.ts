/**
 * What the platform gives, as it was when this module was loaded: a page may put `client.fetch`, `client.Request` and
 * `client.WebSocket` in the places of its own, and a tunnel must not go through itself.
 */
const own = { fetch: globalThis.fetch, WebSocket: globalThis.WebSocket };

export const PlatformRequest = globalThis.Request;

export const platformFetch: typeof globalThis.fetch = (input, init) => {
  const { fetch } = own;
  return fetch(input, init);
};

/** Undefined where there is none, as in Node 20. */
export function platformWebSocket(): typeof globalThis.WebSocket | undefined {
  return own.WebSocket ?? globalThis.WebSocket;
}

/**
 * Whether an open WebSocket keeps Node's process alive: one that is kept for later use shall not. The package `ws` alone gives the
 * means; elsewhere nothing happens.
 */
export function holdProcess(webSocket: WebSocket, hold: boolean): void {
  const { _socket: socket } = webSocket as { _socket?: { ref?(): void; unref?(): void } };
  if (hold) socket?.ref?.();
  else socket?.unref?.();
}

/** Whether a value is of this class of the platform: of another frame's, it is no instance of this one's. */
export function isA<T>(
  value: unknown,
  type: abstract new (...args: never[]) => T,
  name = type.name,
): value is T {
  return value instanceof type || Object.prototype.toString.call(value) === `[object ${name}]`;
}

/** A `File` is one too, and says otherwise. */
export function isBlob(value: unknown): value is Blob {
  // Told apart at once: bytes, which are what it is asked of most.
  if (typeof value !== 'object' || ArrayBuffer.isView(value)) return false;
  return isA(value, Blob) || isA(value, Blob, 'File');
}

/** What relative addresses are relative to; undefined without a page. */
export function baseAddress(): string | undefined {
  return globalThis.document?.baseURI ?? globalThis.location?.href;
}
