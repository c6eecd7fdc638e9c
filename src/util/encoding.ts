export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Undefined when the text is not base64. White space is skipped. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text.replace(/\s+/g, '')), character => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** The text whose characters have the bytes as their numbers (Infra Standard, "isomorphic decode"). */
export function fromLatin1(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 8192) {
    // A spread would go through an iterator, which is many times slower.
    text += String.fromCharCode.apply(null, bytes.subarray(start, start + 8192) as unknown as number[]);
  }
  return text;
}

/** The bytes that a text's characters have as their numbers (Infra Standard, "isomorphic encode"). */
export function toLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, character => character.charCodeAt(0) & 0xff);
}

/** Text of a server's for a message: printable ASCII but quotes and backslashes stay, anything else becomes `\xNN`. */
export function printable(text: string): string {
  return text.replace(/[^ !#-[\]-~]/g, it => `\\x${it.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
