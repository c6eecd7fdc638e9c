import { isA } from '../platform.js';
import type { Certificate, Identity } from './types.js';

/** Whether a value has what an identity is used by. */
export function isIdentity(value: unknown): value is Identity {
  const { certificate, chain, otherChains = [], keys } = (value ?? {}) as Partial<Identity>;
  return (
    isCertificate(certificate) &&
    isChain(chain) &&
    Array.isArray(otherChains) &&
    otherChains.every(isChain) &&
    Array.isArray(keys)
  );
}

function isChain(value: unknown): value is Certificate[] {
  return Array.isArray(value) && value.every(isCertificate);
}

export function isCertificate(value: unknown): value is Certificate {
  const { der, fingerprint } = (value ?? {}) as Partial<Certificate>;
  return isA(der, Uint8Array) && typeof fingerprint === 'string';
}
