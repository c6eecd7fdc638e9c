/**
 * The issuer's name of a certificate as it is encoded (RFC 5280, section 4.1), which is what servers name in a
 * CertificateRequest; undefined when the bytes are no certificate.
 */
export function issuerName(der: Uint8Array): Uint8Array | undefined {
  const toBeSigned = content(content(der, 0), 0);
  if (!toBeSigned) return undefined;
  const elements: Uint8Array[] = [];
  for (let at = 0; at < toBeSigned.length && elements.length < 4; ) {
    const size = sizeOf(toBeSigned, at);
    if (!size) return undefined;
    const element = toBeSigned.subarray(at, at + size.header + size.content);
    at += element.length;
    // The version, which is optional.
    if (element[0] !== 0xa0) elements.push(element);
    // Serial number, signature algorithm, issuer.
    if (elements.length === 3) return elements[2];
  }
  return undefined;
}

/** The DER element that bytes begin with, without what stands behind it; the bytes themselves where they begin with none. */
export function firstElement(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const size = sizeOf(bytes, 0);
  return size ? bytes.subarray(0, size.header + size.content) : bytes;
}

function content(bytes: Uint8Array | undefined, at: number): Uint8Array | undefined {
  const size = bytes && sizeOf(bytes, at);
  return size && bytes.subarray(at + size.header, at + size.header + size.content);
}

/** Of the element at an offset; undefined when it does not fit in. */
function sizeOf(bytes: Uint8Array, at: number): { header: number; content: number } | undefined {
  const first = bytes[at + 1];
  if (first === undefined || first === 0x80 || first > 0x84) return undefined;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  let size = first;
  if (octets > 0) {
    size = 0;
    for (let i = 0; i < octets; i++) size = size * 256 + (bytes[at + 2 + i] ?? 0);
  }
  const header = 2 + octets;
  return at + header + size <= bytes.length ? { header, content: size } : undefined;
}
