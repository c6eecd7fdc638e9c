import { isA } from '../platform.js';
import { isListOf } from '../util/lists.js';
import type { Certificate, Identity } from './types.js';

/** Whether a value has what an identity is used by. */
export function isIdentity(value: unknown): value is Identity {
  const { certificate, chain, otherChains = [], keys } = (value ?? {}) as Partial<Identity>;
  return (
    isCertificate(certificate) && isChain(chain) && isListOf(otherChains, isChain) && Array.isArray(keys)
  );
}

function isChain(value: unknown): value is Certificate[] {
  return isListOf(value, isCertificate);
}

export function isCertificate(value: unknown): value is Certificate {
  const { der, fingerprint } = (value ?? {}) as Partial<Certificate>;
  return isA(der, Uint8Array) && typeof fingerprint === 'string';
}
