import { isA } from '../platform.js';
import type { Certificate, Identity } from './types.js';

/** Whether a value has what an identity is used by. */
export function isIdentity(value: unknown): value is Identity {
  const { certificate, chain, keys } = (value ?? {}) as Partial<Identity>;
  return (
    isCertificate(certificate) && Array.isArray(chain) && chain.every(isCertificate) && Array.isArray(keys)
  );
}

export function isCertificate(value: unknown): value is Certificate {
  const { der, fingerprint } = (value ?? {}) as Partial<Certificate>;
  return isA(der, Uint8Array) && typeof fingerprint === 'string';
}
