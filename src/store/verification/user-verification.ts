/** The identity whose use a person confirms. */
export interface VerificationSubject {
  /** The id of the stored identity. */
  id: string;
  /** The name of the identity, to show to the person. */
  label: string;
}

/**
 * A way in which a person confirms the use of a key: `webAuthnVerification`, `passphraseVerification`, or your own. It makes the wrapping
 * key, which nothing else can make. A script of the origin that runs meanwhile can get the wrapping key too (`docs/security.md`).
 */
export interface UserVerification {
  /** The name of this way in the store's records. */
  readonly method: string;
  /** How often the person may try before `unlock` fails. From 1 on. */
  readonly maxAttempts: number;
  /**
   * Sets the verification up for a new identity.
   *
   * @throws MtlsError ERR_VERIFICATION_UNAVAILABLE, ERR_VERIFICATION_FAILED
   */
  prepare(
    subject: VerificationSubject,
    options: { signal?: AbortSignal },
  ): Promise<{
    /** An AES-GCM key with the usage `wrapKey`. */
    wrappingKey: CryptoKey;
    /** What `verify` needs later. It is stored by structured clone, and must not hold a secret. */
    parameters: unknown;
  }>;
  /**
   * Asks the person.
   *
   * @param parameters those of `prepare`
   * @param options `attempt` counts from 1; more than 1: the last answer was wrong
   * @returns the same key with the usage `unwrapKey`
   * @throws MtlsError ERR_VERIFICATION_UNAVAILABLE, ERR_VERIFICATION_FAILED
   */
  verify(
    subject: VerificationSubject,
    parameters: unknown,
    options: { attempt: number; signal?: AbortSignal },
  ): Promise<CryptoKey>;
}
