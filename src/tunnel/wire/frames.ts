import {
  DATA_HEADER_BYTES,
  isSocketWindow,
  isWindow,
  MAX_DATA_BYTES,
  MAX_HOST_BYTES,
  MAX_REASON_BYTES,
  MAX_TOKEN_BYTES,
} from './limits.js';

/**
 * One message of the tunnel's wire format (`docs/tunnel.md`), as page and relay both read and write it.
 *
 * Every message is one binary WebSocket message: a type byte, then fields in network byte order.
 */
export type Frame =
  | HelloFrame
  | WelcomeFrame
  | OpenFrame
  | OpenedFrame
  | DataFrame
  | CreditFrame
  | EndFrame
  | ResetFrame
  | PingFrame
  | PongFrame
  | GoAwayFrame;

export interface HelloFrame {
  type: 'hello';
  version: number;
  socketWindowBytes: number;
  streamWindowBytes: number;
  token: string;
}

export interface WelcomeFrame {
  type: 'welcome';
  socketWindowBytes: number;
  streamWindowBytes: number;
  maxStreams: number;
}

export interface OpenFrame {
  type: 'open';
  stream: number;
  hostname: string;
  port: number;
}

interface OpenedFrame {
  type: 'opened';
  stream: number;
}

interface DataFrame {
  type: 'data';
  stream: number;
  payload: Uint8Array;
}

interface CreditFrame {
  type: 'credit';
  /** `SOCKET` for the socket's own window. */
  stream: number;
  bytes: number;
}

interface EndFrame {
  type: 'end';
  stream: number;
}

export interface ResetFrame {
  type: 'reset';
  stream: number;
  /** A `ResetCode`, or a number that this version does not know. */
  code: number;
  reason: string;
}

interface PingFrame {
  type: 'ping';
  nonce: number;
}

interface PongFrame {
  type: 'pong';
  nonce: number;
}

interface GoAwayFrame {
  type: 'goaway';
}

/** The stream number of a CREDIT for the socket's window. */
export const SOCKET = 0;

const Type = {
  hello: 1,
  welcome: 2,
  open: 3,
  opened: 4,
  data: 5,
  credit: 6,
  end: 7,
  reset: 8,
  ping: 9,
  pong: 10,
  goaway: 11,
} as const;

// type, version, two windows; then the token to the end of the message
const HELLO_HEAD_BYTES = 1 + 1 + 4 + 4;
const WELCOME_BYTES = 1 + 4 + 4 + 2;
// type, stream, port; then the host name to the end of the message
const OPEN_HEAD_BYTES = 1 + 4 + 2;
// type, stream, code; then the reason to the end of the message
const RESET_HEAD_BYTES = 1 + 4 + 1;

export function encodeHello(hello: Omit<HelloFrame, 'type'>): Uint8Array<ArrayBuffer> {
  const { message, view } = start(Type.hello, HELLO_HEAD_BYTES, hello.token);
  view.setUint8(1, hello.version);
  view.setUint32(2, hello.socketWindowBytes);
  view.setUint32(6, hello.streamWindowBytes);
  return message;
}

export function encodeWelcome(welcome: Omit<WelcomeFrame, 'type'>): Uint8Array<ArrayBuffer> {
  const { message, view } = start(Type.welcome, WELCOME_BYTES);
  view.setUint32(1, welcome.socketWindowBytes);
  view.setUint32(5, welcome.streamWindowBytes);
  view.setUint16(9, welcome.maxStreams);
  return message;
}

export function encodeOpen({ stream, hostname, port }: Omit<OpenFrame, 'type'>): Uint8Array<ArrayBuffer> {
  const { message, view } = start(Type.open, OPEN_HEAD_BYTES, hostname);
  view.setUint32(1, stream);
  view.setUint16(5, port);
  return message;
}

export function encodeOpened(stream: number): Uint8Array<ArrayBuffer> {
  return encodeNumbers(Type.opened, stream);
}

/** Writes type and stream into the first 5 bytes of a message whose payload follows there already. */
export function writeDataHeader(message: Uint8Array, stream: number): void {
  message[0] = Type.data;
  dataViewOf(message).setUint32(1, stream);
}

/** Copies `payload` (1 to 262,144 bytes) behind a header: a WebSocket sends one buffer, not two. */
export function encodeData(stream: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(DATA_HEADER_BYTES + payload.length);
  writeDataHeader(message, stream);
  message.set(payload, DATA_HEADER_BYTES);
  return message;
}

export function encodeCredit(stream: number, bytes: number): Uint8Array<ArrayBuffer> {
  return encodeNumbers(Type.credit, stream, bytes);
}

export function encodeEnd(stream: number): Uint8Array<ArrayBuffer> {
  return encodeNumbers(Type.end, stream);
}

/** A reason of more than 64 bytes is cut. */
export function encodeReset({ stream, code, reason }: Omit<ResetFrame, 'type'>): Uint8Array<ArrayBuffer> {
  const { message, view } = start(Type.reset, RESET_HEAD_BYTES, reason.slice(0, MAX_REASON_BYTES));
  view.setUint32(1, stream);
  view.setUint8(5, code);
  return message;
}

export function encodePing(nonce: number): Uint8Array<ArrayBuffer> {
  return encodeNumbers(Type.ping, nonce);
}

export function encodePong(nonce: number): Uint8Array<ArrayBuffer> {
  return encodeNumbers(Type.pong, nonce);
}

export function encodeGoAway(): Uint8Array<ArrayBuffer> {
  return encodeNumbers(Type.goaway);
}

/** Reads a message; `undefined` for anything that the format does not allow. A DATA payload is a view, not a copy. */
export function decodeFrame(message: Uint8Array): Frame | undefined {
  switch (message[0]) {
    case Type.hello:
      return decodeHello(message);
    case Type.welcome:
      return decodeWelcome(message);
    case Type.open:
      return decodeOpen(message);
    case Type.opened:
      return withStream(message, stream => ({ type: 'opened', stream }));
    case Type.data:
      return decodeData(message);
    case Type.credit:
      return decodeCredit(message);
    case Type.end:
      return withStream(message, stream => ({ type: 'end', stream }));
    case Type.reset:
      return decodeReset(message);
    case Type.ping:
      return message.length === 5 ? { type: 'ping', nonce: uint32At(message, 1) } : undefined;
    case Type.pong:
      return message.length === 5 ? { type: 'pong', nonce: uint32At(message, 1) } : undefined;
    case Type.goaway:
      return message.length === 1 ? { type: 'goaway' } : undefined;
    default:
      return undefined;
  }
}

/** Whether a token fits into HELLO. */
export function isToken(token: string): boolean {
  return new TextEncoder().encode(token).length <= MAX_TOKEN_BYTES;
}

/** Whether a host name has the characters and the length of OPEN. */
export function isHostName(hostname: string): boolean {
  return /^[\x21-\x7e]+$/.test(hostname) && hostname.length <= MAX_HOST_BYTES;
}

function decodeHello(message: Uint8Array): HelloFrame | undefined {
  if (message.length < HELLO_HEAD_BYTES || message.length > HELLO_HEAD_BYTES + MAX_TOKEN_BYTES)
    return undefined;
  const token = decodeText(message.subarray(HELLO_HEAD_BYTES));
  const socketWindowBytes = uint32At(message, 2);
  const streamWindowBytes = uint32At(message, 6);
  if (token === undefined || !isSocketWindow(socketWindowBytes) || !isWindow(streamWindowBytes))
    return undefined;
  return { type: 'hello', version: message[1] ?? 0, socketWindowBytes, streamWindowBytes, token };
}

function decodeWelcome(message: Uint8Array): WelcomeFrame | undefined {
  if (message.length !== WELCOME_BYTES) return undefined;
  const socketWindowBytes = uint32At(message, 1);
  const streamWindowBytes = uint32At(message, 5);
  const maxStreams = uint16At(message, 9);
  if (!isSocketWindow(socketWindowBytes) || !isWindow(streamWindowBytes) || maxStreams === 0)
    return undefined;
  return { type: 'welcome', socketWindowBytes, streamWindowBytes, maxStreams };
}

function decodeOpen(message: Uint8Array): OpenFrame | undefined {
  if (message.length <= OPEN_HEAD_BYTES) return undefined;
  const stream = uint32At(message, 1);
  const port = uint16At(message, 5);
  const hostname = decodeText(message.subarray(OPEN_HEAD_BYTES));
  if (stream === SOCKET || port === 0 || hostname === undefined || !isHostName(hostname)) return undefined;
  return { type: 'open', stream, hostname, port };
}

function decodeData(message: Uint8Array): DataFrame | undefined {
  if (message.length <= DATA_HEADER_BYTES || message.length > DATA_HEADER_BYTES + MAX_DATA_BYTES)
    return undefined;
  const stream = uint32At(message, 1);
  return stream === SOCKET
    ? undefined
    : { type: 'data', stream, payload: message.subarray(DATA_HEADER_BYTES) };
}

function decodeCredit(message: Uint8Array): CreditFrame | undefined {
  if (message.length !== 9) return undefined;
  const bytes = uint32At(message, 5);
  return bytes === 0 ? undefined : { type: 'credit', stream: uint32At(message, 1), bytes };
}

function decodeReset(message: Uint8Array): ResetFrame | undefined {
  if (message.length < RESET_HEAD_BYTES || message.length > RESET_HEAD_BYTES + MAX_REASON_BYTES)
    return undefined;
  const stream = uint32At(message, 1);
  const reason = decodeText(message.subarray(RESET_HEAD_BYTES));
  if (stream === SOCKET || reason === undefined) return undefined;
  return { type: 'reset', stream, code: message[5] ?? 0, reason };
}

function withStream<F extends Frame>(message: Uint8Array, frame: (stream: number) => F): F | undefined {
  if (message.length !== 5) return undefined;
  const stream = uint32At(message, 1);
  return stream === SOCKET ? undefined : frame(stream);
}

/** A message of a type byte, room for fields, and a text behind them. */
function start(type: number, headBytes: number, text = '') {
  const tail = new TextEncoder().encode(text);
  const message = new Uint8Array(headBytes + tail.length);
  message[0] = type;
  message.set(tail, headBytes);
  return { message, view: dataViewOf(message) };
}

function encodeNumbers(type: number, ...values: number[]): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(1 + 4 * values.length);
  const view = dataViewOf(message);
  message[0] = type;
  for (const [index, value] of values.entries()) view.setUint32(1 + 4 * index, value);
  return message;
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function uint32At(bytes: Uint8Array, offset: number): number {
  return uint16At(bytes, offset) * 0x1_0000 + uint16At(bytes, offset + 2);
}

function uint16At(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

function dataViewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
