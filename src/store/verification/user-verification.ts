/** Whose key is to be confirmed, in words that the person knows. */
export interface VerificationSubject {
  /** The id of the stored identity. */
  id: string;
  label: string;
}

/**
 * A way to make sure that the person is there, which gives a wrapping key that nothing else gives: `webAuthnVerification`
 * or `passphraseVerification`. A script of the origin that is there meanwhile can have the wrapping key too (`docs/security.md`).
 */
export interface UserVerification {
  /** Names the way in the store's records. */
  readonly method: string;
  /** How often a person may try, before an unlocking fails. */
  readonly maxAttempts: number;
  /**
   * Sets the verification up for a new identity.
   *
   * @returns an AES-GCM key with the usage `wrapKey`, and what `verify` needs later; that is stored, and holds no secret
   * @throws MtlsError ERR_VERIFICATION_UNAVAILABLE, ERR_VERIFICATION_FAILED
   */
  prepare(
    subject: VerificationSubject,
    options: { signal?: AbortSignal },
  ): Promise<{ wrappingKey: CryptoKey; parameters: unknown }>;
  /**
   * Asks the person.
   *
   * @param parameters what `prepare` gave
   * @param options `attempt`: from 1 on; more than 1 when the answer before was wrong
   * @returns the same key with the usage `unwrapKey`
   * @throws MtlsError ERR_VERIFICATION_UNAVAILABLE, ERR_VERIFICATION_FAILED
   */
  verify(
    subject: VerificationSubject,
    parameters: unknown,
    options: { attempt: number; signal?: AbortSignal },
  ): Promise<CryptoKey>;
}
