import { HttpFailureKind, HttpFault } from '../engine/abi.js';
import { printable } from '../util/encoding.js';
import type { HttpFailure } from './http-engine.js';

/** What the server has sent, with "%" for the field's name. */
const faults: Record<Exclude<HttpFault, (typeof HttpFault)['none' | 'givenUp']>, string> = {
  [HttpFault.upperCaseName]: 'the name of the field % has upper-case letters',
  [HttpFault.invalidName]: 'the name of the field % has characters that are not allowed',
  [HttpFault.emptyName]: 'a field has no name',
  [HttpFault.invalidValue]: 'the value of the field % has control characters',
  [HttpFault.unknownPseudo]: 'the pseudo-header field % is not known',
  [HttpFault.latePseudo]: 'the pseudo-header field % comes behind other fields',
  [HttpFault.repeatedPseudo]: 'the pseudo-header field % comes twice',
  [HttpFault.noStatus]: 'a head has no status',
  [HttpFault.invalidStatus]: 'the status is not a number of three digits',
  [HttpFault.connectionField]: 'the field % is for HTTP/1.1 alone',
  [HttpFault.invalidLength]: 'the content-length is not a number',
  [HttpFault.otherLength]: 'there are two lengths that differ',
  [HttpFault.trailersWithPseudo]: 'trailers have pseudo-header fields',
  [HttpFault.trailersGoOn]: 'the stream goes on behind its trailers',
  [HttpFault.informationalEnd]: 'an informational response ends the stream',
  [HttpFault.dataBeforeHead]: 'a body comes before its head',
  [HttpFault.compression]: 'the compression of a head is not valid',
  [HttpFault.frameTooLarge]: 'a frame is longer than was allowed',
  [HttpFault.frameLength]: 'a frame does not have the length of its type',
  [HttpFault.frameOnStream]: 'a frame for a stream is on the connection, or the other way about',
  [HttpFault.padding]: "a frame's padding is longer than the frame",
  [HttpFault.headInterrupted]: 'a head is interrupted by another frame, or goes on without having begun',
  [HttpFault.push]: 'the server pushes, although that was switched off',
  [HttpFault.unopenedStream]: 'a frame is on a stream that was never opened',
  [HttpFault.settingValue]: "a setting's value is not allowed",
  [HttpFault.acknowledgement]: 'settings are acknowledged that were never sent',
  [HttpFault.emptyGrowth]: 'a WINDOW_UPDATE adds nothing',
  [HttpFault.windowOverflow]: 'a WINDOW_UPDATE brings a window above its limit',
  [HttpFault.beyondWindow]: 'a body is longer than its window allows',
  [HttpFault.selfDependency]: 'a stream depends on itself',
  [HttpFault.laterFarewell]: 'a GOAWAY takes back an earlier one',
  [HttpFault.tinyPieces]: 'a body comes in too many small frames',
  [HttpFault.tooManyFaults]: 'too many of the answers on one connection were not valid',
  [HttpFault.other]: 'the server broke the protocol',
};

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
  if (fault === HttpFault.givenUp) {
    const [name, meaning] = codes[code] ?? ['unknown', 'for a reason of its own'];
    return `HTTP/2: ${message}: ${meaning} (error code ${code}, ${name}). See the server's log for more.`;
  }
  if (fault !== HttpFault.none) {
    const text = faults[fault].replace(
      ' %',
      message === '' ? '' : ` "${printable(message.slice(0, SHOWN_CHARACTERS))}"`,
    );
    return `HTTP/2: ${text}. Have the server send valid HTTP/2, or no h2 by ALPN.`;
  }
  if (kind === HttpFailureKind.reset) return `HTTP/2: ${message}. See the server's log for more.`;
  return `HTTP: ${message}.`;
}
