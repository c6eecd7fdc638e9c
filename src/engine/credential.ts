/** A client certificate and something that signs with its key. The key itself stays wherever it is. */
export interface ClientCredential {
  /** DER, the client's own certificate first. */
  chain: readonly Uint8Array[];
  /** SignatureScheme code points (RFC 8446 section 4.2.3) that the key can sign with, preferred ones first. */
  schemes: readonly number[];
  /**
   * Signs as TLS wants it for the scheme: ECDSA in DER (RFC 8422 section 5.4).
   *
   * @throws MtlsError ERR_TLS_SIGNATURE
   */
  sign(scheme: number, message: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}
