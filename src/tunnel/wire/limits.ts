/** The WebSocket subprotocol of this wire format; a new version of the format gets a new name. */
export const SUBPROTOCOL = 'browser-mtls.v2';

/** The version that HELLO carries. */
export const PROTOCOL_VERSION = 2;

/** Bytes of DATA, of all streams together, that a page may send before WELCOME tells it the relay's windows. */
export const INITIAL_CREDIT_BYTES = 64 * 1024;

/** Streams that a page may open before WELCOME tells it the relay's limit. */
export const INITIAL_STREAMS = 8;

/** The most payload in one DATA message. */
export const MAX_DATA_BYTES = 256 * 1024;

/** Type and stream in front of the payload of a DATA message. */
export const DATA_HEADER_BYTES = 5;

/** The largest message of the format: a full DATA message. */
export const MAX_MESSAGE_BYTES = DATA_HEADER_BYTES + MAX_DATA_BYTES;

export const MAX_TOKEN_BYTES = 4096;
export const MAX_HOST_BYTES = 255;
export const MAX_REASON_BYTES = 64;

/** Windows, in bytes. */
export const MIN_WINDOW_BYTES = 64 * 1024;
export const MAX_WINDOW_BYTES = 16 * 1024 * 1024;
export const MAX_SOCKET_WINDOW_BYTES = 64 * 1024 * 1024;

/** Whether a stream may have this window. */
export function isWindow(value: number): boolean {
  return Number.isInteger(value) && value >= MIN_WINDOW_BYTES && value <= MAX_WINDOW_BYTES;
}

/** Whether a socket may have this window. */
export function isSocketWindow(value: number): boolean {
  return Number.isInteger(value) && value >= MIN_WINDOW_BYTES && value <= MAX_SOCKET_WINDOW_BYTES;
}
