/** The WebSocket subprotocol of this wire format; a new version of the format gets a new name. */
export const SUBPROTOCOL = 'browser-mtls.v1';

/** The version that HELLO carries. */
export const PROTOCOL_VERSION = 1;

/** Bytes that a page may send behind HELLO, before ACCEPT tells it the relay's window. */
export const INITIAL_CREDIT_BYTES = 64 * 1024;

/** The most payload in one DATA message. */
export const MAX_DATA_BYTES = 64 * 1024;

/** The largest message of the format: a full DATA message and its type byte. */
export const MAX_MESSAGE_BYTES = MAX_DATA_BYTES + 1;

export const MAX_TOKEN_BYTES = 4096;
export const MAX_HOST_BYTES = 255;

export const DEFAULT_WINDOW_BYTES = 1024 * 1024;
export const MIN_WINDOW_BYTES = 64 * 1024;
export const MAX_WINDOW_BYTES = 16 * 1024 * 1024;

/**
 * Credit is granted once a quarter of the window has been consumed: often enough that a sender never waits for a
 * receiver that keeps up, and rarely enough to cost nothing.
 */
export function creditThreshold(windowBytes: number): number {
  return windowBytes / 4;
}

export function isWindow(value: number): boolean {
  return Number.isInteger(value) && value >= MIN_WINDOW_BYTES && value <= MAX_WINDOW_BYTES;
}
