import type { Identity, IdentityControls, StoredIdentity } from '../identity/types.js';
import type { IdentityStore } from '../store/identity-store.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import type { CertificateSource, SingleSource } from './certificates.js';
import { type CreateIdentityOptions, createIdentity } from './create-identity.js';
import type { Enrolment } from './enrolment.js';
import { bodyOf, certificateLimit, unlessAborted } from './http.js';

/**
 * What an authority answers: the issued certificate and its issuers, as far as it gives them, in any form and order. Of a
 * `Response`, the status is looked at and the body is read.
 */
export type AuthorityAnswer = CertificateSource;

/**
 * Whoever issues certificates: `stepCa`, or a few lines for any other (`docs/enrolment.md`). Its functions reject with an
 * `MtlsError` of the codes that `enroll` has; any other rejection counts as ERR_ENROLL_UNREACHABLE. What they throw at once, before
 * they return a promise, is a misuse and passes.
 */
export interface CertificateAuthority {
  /**
   * Has a certificate issued.
   *
   * @param request PKCS#10 (RFC 2986), DER
   */
  issue(
    request: Uint8Array<ArrayBuffer>,
    options: { signal: AbortSignal },
  ): AuthorityAnswer | Promise<AuthorityAnswer>;
  /**
   * Has a certificate renewed, over a connection on which the present identity is shown.
   *
   * @param request for a new key; undefined to keep the present one
   */
  renew?(
    request: Uint8Array<ArrayBuffer> | undefined,
    options: { signal: AbortSignal; identity: Identity },
  ): AuthorityAnswer | Promise<AuthorityAnswer>;
}

/** Options of `enroll`. */
export interface EnrollOptions {
  /** Ends the enrolment; it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** As for `Enrolment.complete`. */
  controls?: IdentityControls;
}

const names: OptionNames<EnrollOptions> = { signal: true, controls: true };

/**
 * Has an authority issue the certificate of an enrolment, and completes it.
 *
 * An enrolment that fails stays pending and can be tried again; one that was made here, from options, is cancelled.
 *
 * @param what an enrolment, or the options of `createIdentity` for a new one
 * @throws MtlsError ERR_ENROLL_UNREACHABLE; ERR_ENROLL_REJECTED, ERR_ENROLL_PENDING (`cause` has the HTTP `status` and the
 *   authority's `message`); ERR_ENROLL_CERTIFICATE; and what `createIdentity` and `Enrolment.complete` throw
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
  question: (options: { signal: AbortSignal }) => AuthorityAnswer | Promise<AuthorityAnswer>,
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
