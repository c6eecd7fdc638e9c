import type { ReadCertificate } from './certificate.js';
import { ecdsaFromDer } from './ecdsa-signature.js';

type Verification =
  | { name: 'RSASSA-PKCS1-v1_5'; hash: string }
  | { name: 'ECDSA'; hash: string }
  | { name: 'Ed25519' };

const byOid: Record<string, Verification> = {
  '1.2.840.113549.1.1.5': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1' },
  '1.2.840.113549.1.1.11': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  '1.2.840.113549.1.1.12': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' },
  '1.2.840.113549.1.1.13': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' },
  '1.2.840.10045.4.1': { name: 'ECDSA', hash: 'SHA-1' },
  '1.2.840.10045.4.3.2': { name: 'ECDSA', hash: 'SHA-256' },
  '1.2.840.10045.4.3.3': { name: 'ECDSA', hash: 'SHA-384' },
  '1.2.840.10045.4.3.4': { name: 'ECDSA', hash: 'SHA-512' },
  '1.3.101.112': { name: 'Ed25519' },
};

/** Bytes of r and of s. */
const curveBytes: Record<string, number> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 };

/**
 * Whether `issuer`'s key signed `certificate`; undefined when WebCrypto does not know the algorithm. For putting chains
 * in order: names, validity and the right to issue are not looked at.
 */
export async function signedBy(
  certificate: ReadCertificate,
  issuer: ReadCertificate,
): Promise<boolean | undefined> {
  const algorithm = byOid[certificate.signatureAlgorithm];
  if (!algorithm) return undefined;
  const namedCurve = issuer.certificate.keyAlgorithm.replace(/^ECDSA /, '');
  try {
    const key = await crypto.subtle.importKey('spki', issuer.spki, { ...algorithm, namedCurve }, true, [
      'verify',
    ]);
    const signature =
      algorithm.name === 'ECDSA'
        ? ecdsaFromDer(certificate.signature, curveBytes[namedCurve] ?? 0)
        : certificate.signature;
    if (!signature) return false;
    return await crypto.subtle.verify(algorithm, key, signature, certificate.toBeSigned);
  } catch {
    return undefined;
  }
}
