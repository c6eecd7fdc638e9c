import { isWindow, MAX_DATA_BYTES, MAX_HOST_BYTES, MAX_TOKEN_BYTES } from './limits.js';

/**
 * One message of the tunnel's wire format (`docs/tunnel.md`), as page and relay both read and write it.
 *
 * Every message is one binary WebSocket message: a type byte, then fields in network byte order.
 */
export type Frame = HelloFrame | AcceptFrame | DataFrame | CreditFrame | EndFrame | PingFrame | PongFrame;

export interface HelloFrame {
  type: 'hello';
  version: number;
  windowBytes: number;
  hostname: string;
  port: number;
  token: string;
}

interface AcceptFrame {
  type: 'accept';
  windowBytes: number;
}

interface DataFrame {
  type: 'data';
  payload: Uint8Array;
}

interface CreditFrame {
  type: 'credit';
  bytes: number;
}

interface EndFrame {
  type: 'end';
}

interface PingFrame {
  type: 'ping';
}

interface PongFrame {
  type: 'pong';
}

const TYPE_HELLO = 1;
const TYPE_ACCEPT = 2;
const TYPE_DATA = 3;
const TYPE_CREDIT = 4;
const TYPE_END = 5;
const TYPE_PING = 6;
const TYPE_PONG = 7;

// type, version, window, port, length of the host name; then the name, the length of the token, the token
const HELLO_HEAD_BYTES = 1 + 1 + 4 + 2 + 1;

/** Bytes in front of the payload of a DATA message. */
export const DATA_HEADER_BYTES = 1;

export function encodeHello(hello: Omit<HelloFrame, 'type'>): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const host = encoder.encode(hello.hostname);
  const token = encoder.encode(hello.token);
  const message = new Uint8Array(HELLO_HEAD_BYTES + host.length + 2 + token.length);
  const view = new DataView(message.buffer);
  view.setUint8(0, TYPE_HELLO);
  view.setUint8(1, hello.version);
  view.setUint32(2, hello.windowBytes);
  view.setUint16(6, hello.port);
  view.setUint8(8, host.length);
  message.set(host, HELLO_HEAD_BYTES);
  view.setUint16(HELLO_HEAD_BYTES + host.length, token.length);
  message.set(token, HELLO_HEAD_BYTES + host.length + 2);
  return message;
}

export function encodeAccept(windowBytes: number): Uint8Array<ArrayBuffer> {
  return encodeNumber(TYPE_ACCEPT, windowBytes);
}

export function encodeCredit(bytes: number): Uint8Array<ArrayBuffer> {
  return encodeNumber(TYPE_CREDIT, bytes);
}

export function encodeEnd(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(TYPE_END);
}

export function encodePing(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(TYPE_PING);
}

export function encodePong(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(TYPE_PONG);
}

/** Copies `payload` (1 to 65,536 bytes) behind a type byte: a WebSocket sends one buffer, not two. */
export function encodeData(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(DATA_HEADER_BYTES + payload.length);
  message[0] = TYPE_DATA;
  message.set(payload, DATA_HEADER_BYTES);
  return message;
}

/** Reads a message; `undefined` for anything that the format does not allow. A DATA payload is a view, not a copy. */
export function decodeFrame(message: Uint8Array): Frame | undefined {
  switch (message[0]) {
    case TYPE_HELLO:
      return decodeHello(message);
    case TYPE_ACCEPT:
      return decodeAccept(message);
    case TYPE_DATA:
      return decodeData(message);
    case TYPE_CREDIT:
      return decodeCredit(message);
    case TYPE_END:
      return message.length === 1 ? { type: 'end' } : undefined;
    case TYPE_PING:
      return message.length === 1 ? { type: 'ping' } : undefined;
    case TYPE_PONG:
      return message.length === 1 ? { type: 'pong' } : undefined;
    default:
      return undefined;
  }
}

function decodeHello(message: Uint8Array): HelloFrame | undefined {
  if (message.length < HELLO_HEAD_BYTES + 2) return undefined;
  const view = dataViewOf(message);
  const hostEnd = HELLO_HEAD_BYTES + view.getUint8(8);
  if (message.length < hostEnd + 2) return undefined;
  const tokenLength = view.getUint16(hostEnd);
  if (tokenLength > MAX_TOKEN_BYTES || message.length !== hostEnd + 2 + tokenLength) return undefined;
  const hostname = decodeText(message.subarray(HELLO_HEAD_BYTES, hostEnd));
  const token = decodeText(message.subarray(hostEnd + 2));
  const port = view.getUint16(6);
  const windowBytes = view.getUint32(2);
  if (!hostname || token === undefined || port === 0 || !isWindow(windowBytes)) return undefined;
  return { type: 'hello', version: view.getUint8(1), windowBytes, hostname, port, token };
}

function decodeAccept(message: Uint8Array): AcceptFrame | undefined {
  const windowBytes = decodeNumber(message);
  return windowBytes !== undefined && isWindow(windowBytes) ? { type: 'accept', windowBytes } : undefined;
}

function decodeData(message: Uint8Array): DataFrame | undefined {
  const payload = message.subarray(DATA_HEADER_BYTES);
  return payload.length > 0 && payload.length <= MAX_DATA_BYTES ? { type: 'data', payload } : undefined;
}

function decodeCredit(message: Uint8Array): CreditFrame | undefined {
  const bytes = decodeNumber(message);
  return bytes ? { type: 'credit', bytes } : undefined;
}

function encodeNumber(type: number, value: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(5);
  message[0] = type;
  dataViewOf(message).setUint32(1, value);
  return message;
}

function decodeNumber(message: Uint8Array): number | undefined {
  return message.length === 5 ? dataViewOf(message).getUint32(1) : undefined;
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function dataViewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether a host name and a token fit into HELLO. */
export function fitsHello(hostname: string, token: string): boolean {
  const encoder = new TextEncoder();
  return encoder.encode(hostname).length <= MAX_HOST_BYTES && encoder.encode(token).length <= MAX_TOKEN_BYTES;
}
