import { MtlsError } from '../errors.js';

export function malformed(message: string, cause?: unknown): MtlsError {
  return new MtlsError('ERR_P12_MALFORMED', message, cause === undefined ? undefined : { cause });
}

export function damaged(how: string, cause?: unknown): MtlsError {
  return malformed(`The file is damaged: ${how}. Fetch it once more, or export it again.`, cause);
}

export function unsupported(what: string): MtlsError {
  return new MtlsError('ERR_P12_UNSUPPORTED', `The file uses what this library cannot read: ${what}.`);
}
