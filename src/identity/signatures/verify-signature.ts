import { plainPublicKey } from '../keys/public-key.js';
import { curveBytes, ecdsaFromDer } from './ecdsa-signature.js';
import { type SchemeAlgorithms, schemesByCode } from './signature-schemes.js';

/** A signature that the other side of a TLS handshake made. */
export interface SignedMessage {
  version: 'TLSv1.2' | 'TLSv1.3';
  /** The SignatureScheme code point (RFC 8446, section 4.2.3). */
  scheme: number;
  /** SubjectPublicKeyInfo, DER. */
  spki: Uint8Array<ArrayBuffer>;
  message: Uint8Array<ArrayBuffer>;
  /** ECDSA in DER. */
  signature: Uint8Array<ArrayBuffer>;
}

/** Whether the key made the signature, by WebCrypto; undefined when that does not take the key or the scheme. */
export async function verifySignature(signed: SignedMessage): Promise<boolean | undefined> {
  for (const scheme of schemesByCode(signed.scheme, signed.version)) {
    const key = await importPublicKey(signed.spki, scheme);
    if (key) return verify(key, scheme, signed);
  }
  return undefined;
}

async function importPublicKey(
  spki: Uint8Array<ArrayBuffer>,
  { importAlgorithm }: SchemeAlgorithms,
): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.importKey('spki', plainPublicKey(spki), importAlgorithm, false, ['verify']);
  } catch {
    return undefined;
  }
}

async function verify(
  key: CryptoKey,
  { importAlgorithm, signAlgorithm }: SchemeAlgorithms,
  { message, signature: given }: SignedMessage,
): Promise<boolean | undefined> {
  const half = curveBytes[importAlgorithm.namedCurve ?? ''];
  const signature = half === undefined ? given : ecdsaFromDer(given, half);
  if (!signature) return false;
  try {
    return await crypto.subtle.verify(signAlgorithm, key, signature, message);
  } catch {
    return undefined;
  }
}
