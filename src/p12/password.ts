/** A password as the schemes of PKCS#12 files encode it. */
export interface Password {
  /** For PBES2, PBES1 and PBMAC1. */
  utf8: Uint8Array<ArrayBuffer>;
  /**
   * For the key derivation of RFC 7292: BMPString with two zero bytes (appendix B.1), and other readings that are in use.
   * An empty password is two zero bytes or nothing; beyond ASCII, some writers take each byte of the UTF-8 for a character.
   */
  bmp: Uint8Array<ArrayBuffer>[];
}

export function encodePassword(password: string): Password {
  const utf8 = new TextEncoder().encode(password);
  const units = Array.from({ length: password.length }, (_, i) => password.charCodeAt(i));
  const bmp = [bmpString(units)];
  if (password === '') bmp.push(new Uint8Array());
  if (utf8.length !== password.length) bmp.push(bmpString([...utf8]));
  return { utf8, bmp };
}

function bmpString(units: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 * units.length + 2);
  for (const [i, unit] of units.entries()) {
    bytes[2 * i] = unit >> 8;
    bytes[2 * i + 1] = unit & 0xff;
  }
  return bytes;
}
