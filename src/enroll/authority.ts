import type { Identity, IdentityControls, StoredIdentity } from '../identity/types.js';
import type { IdentityStore } from '../store/identity-store.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import type { CertificateSource, SingleSource } from './certificates.js';
import { type CreateIdentityOptions, createIdentity } from './create-identity.js';
import type { Enrolment } from './enrolment.js';
import { bodyOf, certificateLimit, unlessAborted } from './http.js';

/**
 * A certificate authority: `stepCa`, or a few lines for any other (`docs/enrolment.md`).
 *
 * Both methods return the issued certificate and its issuers, as far as the authority gives them, in any form and order. The status of a
 * `Response` is checked. They may reject with an `MtlsError` that has a code of `enroll`. Any other rejection counts as
 * ERR_ENROLL_UNREACHABLE. An error that they throw before they return a promise is passed on.
 */
export interface CertificateAuthority {
  /**
   * Asks the authority for a certificate.
   *
   * @param request PKCS#10 (RFC 2986), DER
   */
  issue(
    request: Uint8Array<ArrayBuffer>,
    options: { signal: AbortSignal },
  ): CertificateSource | Promise<CertificateSource>;
  /**
   * Asks the authority to renew a certificate, over a connection that shows the present identity. Absent: it does not renew.
   *
   * @param request for a new key; undefined to keep the key
   */
  renew?(
    request: Uint8Array<ArrayBuffer> | undefined,
    options: { signal: AbortSignal; identity: Identity },
  ): CertificateSource | Promise<CertificateSource>;
}

/** Options of `enroll`. */
export interface EnrollOptions {
  /** Ends the enrolment; it rejects with the signal's reason. Default: none. */
  signal?: AbortSignal;
  /** Changes to the controls of the enrolment, as for `Enrolment.complete`. Default: none. */
  controls?: IdentityControls;
}

const names: OptionNames<EnrollOptions> = { signal: true, controls: true };

/**
 * Asks an authority for the certificate of an enrolment, and completes the enrolment.
 *
 * If it fails, a given enrolment stays pending and can be tried again. An enrolment that was made from options is cancelled.
 *
 * @param what an enrolment, or the options of `createIdentity` for a new one
 * @throws MtlsError ERR_ENROLL_UNREACHABLE; ERR_ENROLL_REJECTED, ERR_ENROLL_PENDING (`cause` has the HTTP `status` and the
 *   authority's `message`); ERR_ENROLL_CERTIFICATE; and the errors of `createIdentity` and `Enrolment.complete`
 */
export async function enroll<Result extends Identity>(
  what: Enrolment<Result>,
  authority: CertificateAuthority,
  options?: EnrollOptions,
): Promise<Result>;
export async function enroll(
  what: CreateIdentityOptions & { store: IdentityStore },
  authority: CertificateAuthority,
  options?: EnrollOptions,
): Promise<StoredIdentity>;
export async function enroll(
  what: CreateIdentityOptions | Enrolment,
  authority: CertificateAuthority,
  options?: EnrollOptions,
): Promise<Identity>;
export async function enroll(
  what: CreateIdentityOptions | Enrolment,
  authority: CertificateAuthority,
  options: EnrollOptions = {},
): Promise<Identity> {
  checkOptionNames(options, names);
  const { signal, controls = {} } = options;
  if (typeof authority?.issue !== 'function') throw new TypeError('"authority" must have a function issue');
  signal?.throwIfAborted();
  const given = isEnrolment(what);
  const enrolment = given ? what : await createIdentity({ ...(signal && { signal }), ...what });
  try {
    const chain = await ask(options => authority.issue(enrolment.request, options), signal);
    return await enrolment.complete(chain, controls);
  } catch (error) {
    // What went wrong is the answer, not that a key without a certificate could not be deleted.
    if (!given) await enrolment.cancel().catch(() => {});
    throw error;
  }
}

function isEnrolment(what: CreateIdentityOptions | Enrolment): what is Enrolment {
  return 'complete' in what && typeof what.complete === 'function';
}

/** The certificates of an authority's answer: all errors are `MtlsError`, and it does not outlast the signal. */
export async function ask(
  question: (options: { signal: AbortSignal }) => CertificateSource | Promise<CertificateSource>,
  signal: AbortSignal = new AbortController().signal,
): Promise<CertificateSource> {
  const who = 'The certificate authority';
  signal.throwIfAborted();
  const asked = Promise.resolve(question({ signal }));
  // Its error is no news to anybody when the signal came first.
  asked.catch(() => {});
  return unlessAborted(signal, who, async () => {
    const answer = await asked;
    const parts: readonly SingleSource[] = Array.isArray(answer) ? answer : [answer];
    return Promise.all(
      parts.map(it => (it instanceof Response ? bodyOf(it, { who, ...certificateLimit }) : it)),
    );
  });
}
