// ECDSA signatures: WebCrypto has r and s side by side, certificates and TLS have an ECDSA-Sig-Value (RFC 3279, section 2.2.3).

/** Bytes of r and of s, by WebCrypto's name of the curve. */
export const curveBytes: Record<string, number> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 };

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** From r || s to DER. */
export function ecdsaToDer(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  const half = raw.length / 2;
  const content = [...integer(raw.subarray(0, half)), ...integer(raw.subarray(half))];
  return Uint8Array.from([SEQUENCE, ...length(content.length), ...content]);
}

function integer(unsigned: Uint8Array): number[] {
  const start = unsigned.findIndex(byte => byte !== 0);
  const digits = start < 0 ? [0] : [...unsigned.subarray(start)];
  // The highest bit is the sign.
  if ((digits[0] ?? 0) >= 0x80) digits.unshift(0);
  return [INTEGER, digits.length, ...digits];
}

/** P-521 needs 139 bytes: one octet of length more. */
function length(bytes: number): number[] {
  return bytes < 0x80 ? [bytes] : [0x81, bytes];
}

/** From DER to r || s of `half` bytes each; undefined when it is not such a signature. */
export function ecdsaFromDer(der: Uint8Array, half: number): Uint8Array<ArrayBuffer> | undefined {
  const raw = new Uint8Array(2 * half);
  const start = der[1] === 0x81 ? 3 : 2;
  if (der[0] !== SEQUENCE || der[start - 1] !== der.length - start) return undefined;
  let at = start;
  for (const end of [half, 2 * half]) {
    const size = der[at + 1] ?? 0;
    if (der[at] !== INTEGER || size === 0 || at + 2 + size > der.length) return undefined;
    const number = der.subarray(at + 2, at + 2 + size);
    const digits = number[0] === 0 ? number.subarray(1) : number;
    if (digits.length > half) return undefined;
    raw.set(digits, end - digits.length);
    at += 2 + size;
  }
  return at === der.length ? raw : undefined;
}
