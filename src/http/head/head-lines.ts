import type { MtlsError } from '../../errors.js';
import {
  checkBytes,
  checkFraming,
  framingFault,
  isBlank,
  isIdentity,
  statusFault,
  trimmed,
} from './head-fault.js';

type Field = [name: string, value: string];

/** The head of an HTTP/1.1 response. */
export interface HeadLines {
  status: number;
  statusText: string;
  /** Where some of its lines are not valid. */
  mended?: Mended;
  /** What the engine refuses it for, if it does. */
  fault: MtlsError | undefined;
}

export interface Mended {
  /** What browsers show of the head. */
  headers: Field[];
  /** The head in valid lines. */
  text: string;
}

/** Version, status and reason. Browsers take more whitespace between them, and lower case. */
const STATUS_LINE = /^HTTP\/1\.([01])[ \t]+(\d{3})(?:[ \t](.*))?$/i;
const VALID_STATUS_LINE = /^HTTP\/1\.[01] \d{3}(?: [\t -~\x80-\xff]*)?$/;
const TOKEN = /^[\w!#$%&'*+\-.^`|~]+$/;
const CONTROL = /[^\t -~\x80-\xff]/g;
const BARE_CR = /\r(?!\n)/;
/** A head that needs no mending, as nearly all are. */
const USUAL_HEAD =
  /^HTTP\/1\.1 (\d{3})(?: ([\t -~\x80-\xff]*))?\r\n(?:[\w!#$%&'*+\-.^`|~]+:[\t -~\x80-\xff]*\r\n)*\r\n$/;
const MAX_USUAL_LENGTH = 16 * 1024;
const FRAMING_FIELDS = /^(?:content-length|transfer-encoding):.*$/gim;
const USUAL_FRAMING = /^(?:content-length:[ \t]*\d{1,15}|transfer-encoding:[ \t]*chunked)[ \t\r]*$/i;

/**
 * Reads the lines of a head, in Latin-1, up to the empty one. Those that are not valid (RFC 9112 section 5) are mended or left out as
 * browsers do, unless they could move the end of the body.
 *
 * @returns only why, where the first line is for the engine to refuse
 * @throws MtlsError ERR_HTTP_PROTOCOL
 */
export function readHeadLines(text: string): HeadLines | { fault: MtlsError } {
  return usualHead(text) ?? readEachLine(text);
}

/** Undefined where something has to be looked at line by line. */
function usualHead(text: string): HeadLines | undefined {
  const [, status, reason = ''] = (text.length <= MAX_USUAL_LENGTH && USUAL_HEAD.exec(text)) || [];
  if (status === undefined) return undefined;
  const [framing = '', another] = text.match(FRAMING_FIELDS) ?? [];
  if (another !== undefined || (framing && !USUAL_FRAMING.test(framing))) return undefined;
  return { status: Number(status), statusText: trimmed(reason), fault: undefined };
}

function readEachLine(text: string): HeadLines | { fault: MtlsError } {
  const lines = text.split('\n').map(line => (line.endsWith('\r') ? line.slice(0, -1) : line));
  const first = lines.findIndex(line => line !== '');
  const head = lines.slice(first, lines.indexOf('', first));
  if (text.includes('\0') || BARE_CR.test(text)) head.forEach(checkBytes);
  const [statusLine = '', ...fieldLines] = head;
  const [, minor, status, reason = ''] = STATUS_LINE.exec(statusLine) ?? [];
  if (status === undefined) return { fault: statusFault(statusLine) };
  const read = {
    status: Number(status),
    statusText: hasControls(reason) ? '' : trimmed(reason),
    fault: framingFault(fieldLines, minor),
  };
  const { headers, valid } = readFields(fieldLines);
  const sent = withoutIdentity(headers);
  if (valid && sent === headers && VALID_STATUS_LINE.test(statusLine)) return read;
  const fields = sent.map(([name, value]) => `${name}: ${value.replace(CONTROL, ' ')}\r\n`);
  const mended = `HTTP/1.${minor} ${status} ${read.statusText}\r\n${fields.join('')}\r\n`;
  return { ...read, mended: { headers, text: mended } };
}

function readFields(lines: readonly string[]): { headers: Field[]; valid: boolean } {
  const headers: Field[] = [];
  let valid = true;
  /** What a folded line continues; undefined: nothing that is kept. */
  let last: Field | undefined;
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = trimmed(line.slice(0, Math.max(colon, 0)));
    const value = line.slice(colon + 1);
    const folded = isBlank(line, 0);
    if (folded || name.length !== colon || !TOKEN.test(name) || hasControls(value)) {
      valid = false;
      checkFraming(line, folded ? last : undefined);
    }
    if (folded) {
      if (last) last[1] += ` ${trimmed(line)}`;
      continue;
    }
    last = TOKEN.test(name) ? [name.toLowerCase(), value] : undefined;
    if (last) headers.push(last);
  }
  return { headers: headers.map(([name, value]) => [name, trimmed(value)]), valid };
}

/** The engine does not know `identity`. */
function withoutIdentity(headers: Field[]): Field[] {
  const isCoding = ([name]: Field) => name === 'transfer-encoding';
  const codings = headers.filter(isCoding).flatMap(([, value]) => value.split(','));
  if (codings.length === 0 || !codings.every(isIdentity)) return headers;
  return headers.filter(field => !isCoding(field));
}

function hasControls(text: string): boolean {
  return text.search(CONTROL) >= 0;
}
