import { baseAddress, isA, isBlob } from '../platform.js';
import { MAX_CONTROL_BYTES } from './codes.js';

/** A token of HTTP (RFC 9110 section 5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The address as a `WebSocket` shows it: wss:. Plain ws: is refused, because nothing here goes without TLS. */
export function parseAddress(address: string | URL): URL {
  const text = String(address);
  const url = tryParse(text, baseAddress());
  if (!url) throw syntaxError('the address is not a valid URL');
  if (url.protocol === 'ws:' || url.protocol === 'http:') {
    throw new DOMException('this WebSocket speaks TLS: use a wss: address', 'SecurityError');
  }
  if (url.protocol !== 'wss:' && url.protocol !== 'https:') throw syntaxError('not a wss: address');
  if (url.href.includes('#')) throw syntaxError('the address of a WebSocket has no fragment');
  return new URL(url.href.replace(/^https:/, 'wss:'));
}

function tryParse(text: string, base: string | undefined): URL | null {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}

/** Web IDL's `(DOMString or sequence<DOMString>)`: what is no list is one name, `null` too. */
export function parseProtocols(protocols: unknown): string[] {
  const isList = typeof protocols === 'object' && protocols !== null && Symbol.iterator in protocols;
  const list = isList ? Array.from(protocols as Iterable<unknown>, it => `${it}`) : [`${protocols}`];
  // Neither an address nor a subprotocol stands in a message: some servers take tokens by them.
  if (!list.every(it => TOKEN.test(it)))
    throw syntaxError(
      'the name of a subprotocol has letters, digits and some signs (RFC 9110 section 5.6.2)',
    );
  if (new Set(list).size < list.length) throw syntaxError('a subprotocol is named twice');
  return list;
}

export interface CloseArguments {
  code: number | undefined;
  reason: Uint8Array;
}

export function parseClose(code: number | undefined, reason: string | undefined): CloseArguments {
  const number = code === undefined ? undefined : clamped(code);
  if (number !== undefined && number !== 1000 && (number < 3000 || number > 4999)) {
    throw new DOMException('code: 1000, or from 3000 to 4999', 'InvalidAccessError');
  }
  const bytes = new TextEncoder().encode(reason === undefined ? '' : String(reason));
  if (bytes.length > MAX_CONTROL_BYTES - 2) throw syntaxError('reason: at most 123 bytes of UTF-8');
  return { code: number ?? (bytes.length > 0 ? 1000 : undefined), reason: bytes };
}

/** Web IDL's `[Clamp] unsigned short`. */
function clamped(value: number): number {
  const number = Number(value);
  return Number.isNaN(number) ? 0 : Math.min(Math.max(Math.round(number), 0), 0xffff);
}

/** What is sent, unchanged by what the page does with it later. */
export function snapshot(data: unknown): { isText: boolean; payload: Uint8Array | Blob } {
  if (isBlob(data)) return { isText: false, payload: data };
  if (ArrayBuffer.isView(data)) {
    const { buffer, byteOffset, byteLength } = data;
    return { isText: false, payload: new Uint8Array(buffer, byteOffset, byteLength).slice() };
  }
  if (isA(data, ArrayBuffer)) return { isText: false, payload: new Uint8Array(data.slice(0)) };
  return { isText: true, payload: new TextEncoder().encode(`${data}`) };
}

function syntaxError(message: string): DOMException {
  return new DOMException(message, 'SyntaxError');
}
