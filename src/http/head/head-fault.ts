import { MtlsError } from '../../errors.js';
import { printable } from '../../util/encoding.js';

/** Characters that a name cannot have. */
const NO_TOKEN = /[^\w!#$%&'*+\-.^`|~]/g;
/** The fields that say where the body ends. */
const FRAMING = /^(?:content-length|transfer-encoding)(.*)$/i;
const FRAMING_LINE = /^(content-length|transfer-encoding)[ \t]*:(.*)$/is;
const SHOWN_CHARACTERS = 80;
const MAX_LENGTH = 2n ** 64n - 1n;

/** @throws MtlsError ERR_HTTP_PROTOCOL */
export function checkBytes(line: string): void {
  const fault =
    (line.includes('\0') && 'has a zero byte') ||
    (line.includes('\r') && 'has a carriage return that does not end it');
  // Not the value: it may be a secret.
  if (fault) throw refusal(excerpt(line, line.indexOf(':') + 1), fault);
}

/**
 * Refuses an invalid line that could move the end of the body: whoever is between may have read it in another way
 * (RFC 9112 section 11.2).
 *
 * @param continued the field that a folded line continues
 * @throws MtlsError ERR_HTTP_PROTOCOL
 */
export function checkFraming(line: string, continued: readonly string[] | undefined): void {
  const colon = line.indexOf(':');
  const [, rest] = FRAMING.exec((colon < 0 ? line : line.slice(0, colon)).replace(NO_TOKEN, '')) ?? [];
  const named = colon < 0 ? rest !== undefined && !isBlank(line, 0) : rest === '';
  if (!named && !FRAMING.test(continued?.[0] ?? '')) return;
  throw refusal(excerpt(line), 'is not valid, and decides where the body ends');
}

/** Says why the engine refuses a first line. */
export function statusFault(line: string): MtlsError {
  if (!/^http\//i.test(line)) {
    // Not its text: it may be the rest of a body.
    return new MtlsError(
      'ERR_HTTP_PROTOCOL',
      'HTTP: the answer does not begin like one of HTTP/1.1. See that the address and the port are those of an HTTP server.',
    );
  }
  return refusal(excerpt(line), 'is not a status line of HTTP/1.1');
}

/** Says which of these valid lines the engine refuses, if it does: they leave open where the body ends (RFC 9112 section 6.3). */
export function framingFault(
  lines: readonly string[],
  minorVersion: string | undefined,
): MtlsError | undefined {
  const framing = lines.flatMap(line => {
    const [, name = '', value = ''] = FRAMING_LINE.exec(line) ?? [];
    return name ? [{ line, isLength: name.length === 'content-length'.length, value: trimmed(value) }] : [];
  });
  const lengths = framing.filter(({ isLength }) => isLength);
  const codings = framing.filter(({ isLength }) => !isLength);
  const areIdentity = codings.every(({ value }) => value.split(',').every(isIdentity));
  const [coding, another] = areIdentity ? [] : codings;
  const [length] = lengths;
  const other = lengths.find(({ value }) => value !== length?.value);
  const faults: [line: string | undefined, fault: string][] = [
    [length && coding?.line, `stands beside "${excerpt(length?.line ?? '')}"`],
    [minorVersion === '0' ? coding?.line : undefined, 'is not for HTTP/1.0'],
    [
      coding?.value.toLowerCase() === 'chunked' ? another?.line : coding?.line,
      'is more than the "chunked" that was asked for',
    ],
    [lengths.find(({ value }) => !isLength64(value))?.line, 'is not a length'],
    [other?.line, `contradicts "${excerpt(length?.line ?? '')}"`],
  ];
  const [line, fault] = faults.find(([line]) => line !== undefined) ?? [];
  if (line === undefined || fault === undefined) return undefined;
  return refusal(excerpt(line), `${fault}, and leaves open where the body ends`);
}

/** Whether it is `identity`, which is no coding at all (RFC 2616 section 3.6). */
export function isIdentity(coding: string): boolean {
  return trimmed(coding).toLowerCase() === 'identity';
}

function isLength64(text: string): boolean {
  return /^\d+$/.test(text) && BigInt(text) <= MAX_LENGTH;
}

function refusal(shown: string, fault: string): MtlsError {
  return new MtlsError(
    'ERR_HTTP_PROTOCOL',
    `HTTP: the line "${shown}" of the response's head ${fault}. Have the server send valid lines.`,
  );
}

/** What a message shows of a line: ASCII, and not more than its first `length` characters. */
function excerpt(line: string, length = line.length): string {
  const text = line.slice(0, Math.min(length, SHOWN_CHARACTERS));
  return printable(text) + (text.length < line.length ? '…' : '');
}

/** Without spaces and tabs at either end. */
export function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (isBlank(text, start)) start++;
  while (end > start && isBlank(text, end - 1)) end--;
  return text.slice(start, end);
}

export function isBlank(text: string, at: number): boolean {
  return text[at] === ' ' || text[at] === '\t';
}
