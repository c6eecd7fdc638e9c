import { MtlsError } from '../../errors.js';
import type { Use } from './password.js';

const MORE_READINGS =
  ' Not every way to read it was tried: raise limits.maxIterations if you trust the file.';

/** @param incomplete whether the budget did not allow all readings of the password */
export function wrongPassword({ incomplete = false } = {}): MtlsError {
  return new MtlsError(
    'ERR_P12_PASSWORD',
    `The password is wrong. Type it again: upper and lower case count.${incomplete ? MORE_READINGS : ''}`,
  );
}

/** A part of a file that the passwords at hand do not open, although the file's is right. */
export function otherPassword(
  use: Use,
  { given, intact, incomplete }: { given: boolean; intact: boolean; incomplete: boolean },
): MtlsError {
  const subject = use === 'private key' ? 'A private key of the file' : 'A part of the file';
  const advice = given
    ? `Neither password opens it: type that of the ${use} (keyPassword) again.`
    : 'Give it as keyPassword.';
  const doubt = intact ? '' : ' If there is none, the file is damaged.';
  return new MtlsError(
    'ERR_P12_KEY_PASSWORD',
    `${subject} has a separate password. ${advice}${doubt}${incomplete ? MORE_READINGS : ''}`,
  );
}
