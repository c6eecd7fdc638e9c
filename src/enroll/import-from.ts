import { MtlsError, type MtlsErrorCode } from '../errors.js';
import { type OpenPkcs12Options, openPkcs12, openPkcs12Names } from '../p12/open-pkcs12.js';
import type { Pkcs12 } from '../p12/pkcs12.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { orAborted } from '../util/promises.js';
import { download, httpUrl } from './http.js';

/** The question for a password that `importFrom` asks. */
export interface PasswordQuestion {
  /** `key`: the file is open, and a key in it has a separate password (`keyPassword`). Absent: the password of the file. */
  of?: 'key';
  /** Counts from 1, separately for the file and the key. */
  attempt: number;
  /** Why the last password was wrong. Absent: none was given yet. */
  error?: MtlsError;
}

/** Options of `importFrom`. */
export interface ImportFromOptions extends OpenPkcs12Options {
  /**
   * Asks the person for the password if none is given, for the key's password if it has a separate one, and again while it is wrong. The
   * file is fetched once. `undefined` means that the person declined. Default: nobody is asked.
   */
  askPassword?(question: PasswordQuestion): string | undefined | Promise<string | undefined>;
  /**
   * The `fetch` to use; `client.fetch` for a service that asks for another identity, or is behind the relay. Default: the browser's own.
   */
  fetch?: typeof globalThis.fetch;
  /** The request beside its address: `method`, `headers` (such as an access token), `body`, `credentials`. Default: a GET. */
  request?: Omit<RequestInit, 'signal'>;
}

const names: OptionNames<ImportFromOptions> = {
  ...openPkcs12Names,
  askPassword: true,
  fetch: true,
  request: true,
};

/** As many as `openPkcs12` reads by default. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;

/**
 * Fetches a PKCS#12 file from a registration service, and opens it.
 *
 * @param url holds no password: addresses end up in logs
 * @throws MtlsError ERR_ENROLL_UNREACHABLE; ERR_ENROLL_REJECTED, whose `cause` has the HTTP `status` and the service's
 *   `message`; ERR_P12_PASSWORD, ERR_P12_KEY_PASSWORD when a password is wrong and nobody gives another; what `openPkcs12` throws
 * @throws TypeError for an address with a password in it
 */
export async function importFrom(url: string | URL, options: ImportFromOptions = {}): Promise<Pkcs12> {
  checkOptionNames(options, names);
  const { askPassword, fetch = globalThis.fetch, request = {}, ...opening } = options;
  const { signal } = opening;
  const address = httpUrl(url);
  const file = await download(address, request, {
    who: 'The service',
    fetch,
    signal,
    maxBytes: opening.limits?.maxFileBytes ?? MAX_FILE_BYTES,
    tooLarge: 'ERR_P12_MALFORMED',
  });
  try {
    return await openAsking(file, opening, askPassword);
  } finally {
    file.fill(0);
  }
}

async function openAsking(
  file: Uint8Array<ArrayBuffer>,
  options: OpenPkcs12Options,
  askPassword: ImportFromOptions['askPassword'],
): Promise<Pkcs12> {
  if (!askPassword) return openPkcs12(file, options);
  let { password, keyPassword } = options;
  const attempts = { password: 0, keyPassword: 0 };
  const ask = (what: keyof typeof attempts, error?: MtlsError) => {
    const of = what === 'keyPassword' && { of: 'key' as const };
    const question = { ...of, attempt: ++attempts[what], ...(error && { error }) };
    return orAborted(Promise.resolve(askPassword(question)), options.signal);
  };
  password ??= await ask('password');
  if (password === undefined) throw declined();
  for (;;) {
    try {
      return await openPkcs12(file, { ...options, password, keyPassword });
    } catch (failure) {
      if (!(failure instanceof MtlsError)) throw failure;
      const what = wanted[failure.code];
      const given = what && (await ask(what, failure));
      if (given === undefined) throw failure;
      if (what === 'password') password = given;
      else keyPassword = given;
    }
  }
}

/** Which password another attempt needs. */
const wanted: Partial<Record<MtlsErrorCode, 'password' | 'keyPassword'>> = {
  ERR_P12_PASSWORD: 'password',
  ERR_P12_KEY_PASSWORD: 'keyPassword',
};

function declined(): MtlsError {
  return new MtlsError('ERR_P12_PASSWORD', 'No password was given.');
}
