const encoder = new TextEncoder();
const hexOf = /* @__PURE__ */ Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexOf[byte];
  return text;
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(fromLatin1(bytes));
}

/** Undefined when the text is not base64. White space is skipped. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return toLatin1(atob(text.replace(/\s+/g, '')));
  } catch {
    return undefined;
  }
}

/** The text whose characters have the bytes as their numbers (Infra Standard, "isomorphic decode"). */
export function fromLatin1(bytes: Uint8Array): string {
  if (bytes.length <= 8192) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let text = '';
  for (let start = 0; start < bytes.length; start += 8192) {
    // A spread would go through an iterator, which is many times slower.
    text += String.fromCharCode.apply(null, bytes.subarray(start, start + 8192) as unknown as number[]);
  }
  return text;
}

/** The bytes that a text's characters have as their numbers (Infra Standard, "isomorphic encode"). */
export function toLatin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  writeLatin1(text, bytes);
  return bytes;
}

/** The same into memory of the text's length. */
export function writeLatin1(text: string, bytes: Uint8Array<ArrayBuffer>): void {
  // Many times faster. UTF-8 has room for the whole text only if that is ASCII, and then it is the same.
  if (encoder.encodeInto(text, bytes).read === text.length) return;
  // Uint8Array.from would go through an iterator, which is many times slower.
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
}

/** Text of a server's for a message: printable ASCII but quotes and backslashes stay, anything else becomes `\xNN`. */
export function printable(text: string): string {
  return text.replace(/[^ !#-[\]-~]/g, it => `\\x${it.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
