import { MtlsError } from '../errors.js';
import { orAborted } from '../identity/or-aborted.js';
import { type OpenPkcs12Options, openPkcs12, type Pkcs12 } from '../p12/open-pkcs12.js';
import { download, httpUrl } from './http.js';

export interface PasswordQuestion {
  /** From 1 on. */
  attempt: number;
  /** Why the password before did not do; undefined when there was none. */
  error?: MtlsError;
}

export interface ImportFromOptions extends OpenPkcs12Options {
  /**
   * Asks the person for the password when none is given, and again as long as it is wrong; the file is fetched once. Undefined
   * means that they declined.
   */
  askPassword?(question: PasswordQuestion): string | undefined | Promise<string | undefined>;
  /** Default: the browser's own; `client.fetch` for a service that asks for another identity, or is behind the relay. */
  fetch?: typeof globalThis.fetch;
  /** What the request has beside the address: `method`, `headers` (an access token), `body`, `credentials`. Default: a GET. */
  request?: Omit<RequestInit, 'signal'>;
}

/** As many as `openPkcs12` reads by default. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;

/**
 * Fetches a PKCS#12 file from a registration service, and opens it.
 *
 * @param url holds no password: addresses end up in logs
 * @throws MtlsError ERR_ENROLL_UNREACHABLE; ERR_ENROLL_REJECTED, whose `cause` has the HTTP `status` and the service's
 *   `message`; ERR_P12_PASSWORD when the password is wrong and nobody gives another; what `openPkcs12` throws
 * @throws TypeError for an address with a password in it
 */
export async function importFrom(url: string | URL, options: ImportFromOptions = {}): Promise<Pkcs12> {
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
  let { password } = options;
  let error: MtlsError | undefined;
  for (let attempt = 0; ; ) {
    if (password === undefined) {
      const question = { attempt: ++attempt, ...(error && { error }) };
      password = await orAborted(Promise.resolve(askPassword(question)), options.signal);
    }
    if (password === undefined) throw error ?? declined();
    try {
      return await openPkcs12(file, { ...options, password });
    } catch (failure) {
      if (!(failure instanceof MtlsError) || failure.code !== 'ERR_P12_PASSWORD') throw failure;
      error = failure;
      password = undefined;
    }
  }
}

function declined(): MtlsError {
  return new MtlsError('ERR_P12_PASSWORD', 'No password was given.');
}
