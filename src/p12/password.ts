/** A password as the two schemes of PKCS#12 files encode it. */
export interface Password {
  /** For PBES2. */
  utf8: Uint8Array<ArrayBuffer>;
  /**
   * For the key derivation of RFC 7292: BMPString with two zero bytes (appendix B.1). An empty password is read both
   * ways that are in use, as two zero bytes and as nothing.
   */
  bmp: Uint8Array<ArrayBuffer>[];
}

export function encodePassword(password: string): Password {
  const bmp = new Uint8Array(2 * password.length + 2);
  for (let i = 0; i < password.length; i++) {
    const unit = password.charCodeAt(i);
    bmp[2 * i] = unit >> 8;
    bmp[2 * i + 1] = unit & 0xff;
  }
  return {
    utf8: new TextEncoder().encode(password),
    bmp: password === '' ? [bmp, new Uint8Array()] : [bmp],
  };
}
