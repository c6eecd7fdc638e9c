import { HttpFailureKind } from '../engine/abi.js';
import { printable } from '../util/encoding.js';
import type { HttpFailure } from './http-engine.js';

/** What the server has sent, by the numbers of the engine's `Fault`; with "%" for the field's name. */
const faults: Record<number, string> = {
  1: 'the name of the field % has upper-case letters',
  2: 'the name of the field % has characters that are not allowed',
  3: 'a field has no name',
  4: 'the value of the field % has control characters',
  5: 'the pseudo-header field % is not known',
  6: 'the pseudo-header field % comes behind other fields',
  7: 'the pseudo-header field % comes twice',
  8: 'a head has no status',
  9: 'the status is not a number of three digits',
  10: 'the field % is for HTTP/1.1 alone',
  11: 'the content-length is not a number',
  12: 'there are two lengths that differ',
  13: 'trailers have pseudo-header fields',
  14: 'the stream goes on behind its trailers',
  15: 'an informational response ends the stream',
  16: 'a body comes before its head',
  17: 'the compression of a head is not valid',
  18: 'a frame is longer than was allowed',
  19: 'a frame does not have the length of its type',
  20: 'a frame for a stream is on the connection, or the other way about',
  21: "a frame's padding is longer than the frame",
  22: 'a head is interrupted by another frame, or goes on without having begun',
  23: 'the server pushes, although that was switched off',
  24: 'a frame is on a stream that was never opened',
  25: "a setting's value is not allowed",
  26: 'settings are acknowledged that were never sent',
  27: 'a WINDOW_UPDATE adds nothing',
  28: 'a WINDOW_UPDATE brings a window above its limit',
  29: 'a body is longer than its window allows',
  30: 'a stream depends on itself',
  31: 'a GOAWAY takes back an earlier one',
  32: 'a body comes in too many small frames',
  33: 'too many of the answers on one connection were not valid',
};

/** Nothing is wrong: the server itself has given up the request or the connection. */
const GIVEN_UP = 37;

/** By the error codes of RFC 9113 section 7. */
const codes: Record<number, readonly [name: string, meaning: string]> = {
  0: ['NO_ERROR', 'without a reason'],
  1: ['PROTOCOL_ERROR', 'it calls the request invalid HTTP/2'],
  2: ['INTERNAL_ERROR', 'it failed internally'],
  3: ['FLOW_CONTROL_ERROR', 'it got more than its window allows'],
  4: ['SETTINGS_TIMEOUT', 'its settings were not acknowledged in time'],
  5: ['STREAM_CLOSED', 'it got a frame on a stream that was closed'],
  6: ['FRAME_SIZE_ERROR', 'it got a frame of a size that it does not take'],
  7: ['REFUSED_STREAM', 'it has not begun with the request'],
  8: ['CANCEL', 'it needs the stream no longer'],
  9: ['COMPRESSION_ERROR', "it could not decompress the request's head"],
  10: ['CONNECT_ERROR', 'a connection behind it was reset'],
  11: ['ENHANCE_YOUR_CALM', 'it gets too much, or too often'],
  12: ['INADEQUATE_SECURITY', "it demands better TLS parameters than the connection's"],
  13: ['HTTP_1_1_REQUIRED', 'it takes the request over HTTP/1.1 alone'],
};

const SHOWN_CHARACTERS = 64;

/** Says what happened, and what is to be done. */
export function failureSentence({ kind, code, fault, message }: HttpFailure): string {
  if (fault === GIVEN_UP) {
    const [name, meaning] = codes[code] ?? ['unknown', 'for a reason of its own'];
    return `HTTP/2: ${message}: ${meaning} (error code ${code}, ${name}). See the server's log for more.`;
  }
  if (fault > 0) {
    const text = faults[fault]?.replace(
      ' %',
      message === '' ? '' : ` "${printable(message.slice(0, SHOWN_CHARACTERS))}"`,
    );
    return `HTTP/2: ${text ?? 'the server broke the protocol'}. Have the server send valid HTTP/2, or no h2 by ALPN.`;
  }
  if (kind === HttpFailureKind.reset) return `HTTP/2: ${message}. See the server's log for more.`;
  return `HTTP: ${message}.`;
}
