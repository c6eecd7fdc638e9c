import { MtlsError } from '../errors.js';
import type { Identity, IdentityControls, StoredIdentity } from '../identity/types.js';
import type { IdentityStore } from '../store/identity-store.js';
import type { CertificateSource } from './certificates.js';
import { type CreateIdentityOptions, createIdentity } from './create-identity.js';
import type { Enrolment } from './enrolment.js';

/** Whoever issues certificates: `stepCa`, or a few lines for any other (`docs/enrolment.md`). */
export interface CertificateAuthority {
  /**
   * Has a certificate issued.
   *
   * @param request PKCS#10 (RFC 2986), DER
   * @returns the issued certificate and its issuers, as far as the authority gives them, in any order
   * @throws MtlsError ERR_ENROLL_UNREACHABLE, ERR_ENROLL_REJECTED, ERR_ENROLL_CERTIFICATE; anything else counts as
   *   ERR_ENROLL_UNREACHABLE
   */
  issue(request: Uint8Array<ArrayBuffer>, options: { signal?: AbortSignal }): Promise<CertificateSource>;
  /**
   * Has a certificate renewed, over a connection on which the present identity was shown.
   *
   * @param request for a new key; undefined to keep the present one
   */
  renew?(
    request: Uint8Array<ArrayBuffer> | undefined,
    options: { signal?: AbortSignal; identity: Identity },
  ): Promise<CertificateSource>;
}

export interface EnrollOptions {
  /** Ends the enrolment; it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** As for `Enrolment.complete`. */
  controls?: IdentityControls;
}

/**
 * Has an authority issue the certificate of an enrolment, and completes it.
 *
 * An enrolment that fails stays pending and can be tried again; one that was made here, from options, is cancelled.
 *
 * @param what an enrolment, or the options of `createIdentity` for a new one
 * @throws MtlsError ERR_ENROLL_UNREACHABLE, ERR_ENROLL_REJECTED, ERR_ENROLL_CERTIFICATE, and what `createIdentity` and
 *   `Enrolment.complete` throw
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
  { signal, controls = {} }: EnrollOptions = {},
): Promise<Identity> {
  if (typeof authority?.issue !== 'function') throw new TypeError('an authority has a function issue');
  signal?.throwIfAborted();
  const given = isEnrolment(what);
  const enrolment = given ? what : await createIdentity({ ...(signal && { signal }), ...what });
  try {
    const chain = await ask(() => authority.issue(enrolment.request, { ...(signal && { signal }) }), signal);
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

/** An authority's answer: its errors are `MtlsError`, and it does not outlast the signal. */
export async function ask<T>(question: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    const answer = await question();
    signal?.throwIfAborted();
    return answer;
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof MtlsError) throw cause;
    throw new MtlsError('ERR_ENROLL_UNREACHABLE', 'The certificate authority gave no answer.', { cause });
  }
}
