import type { IdentityControls } from 'browser-mtls';
import { byId } from './dom.js';

/** What the form says that the keychain is to do with the next identity. */
export function readControls(): IdentityControls {
  const text = (id: string) => byId(id, HTMLInputElement).value.trim();
  const chosen = (id: string) => byId(id, HTMLSelectElement).value;
  const label = text('identity-label');
  const idleTimeoutMs = Number(chosen('identity-idle'));
  const expiresInMs = Number(chosen('identity-expiry'));
  return {
    ...(label && { label }),
    hosts: splitHosts(text('identity-hosts')),
    ...(chosen('identity-persistence') === 'session' && { persistence: 'session' }),
    ...(idleTimeoutMs && { idleTimeoutMs }),
    ...(expiresInMs && { expiresAt: new Date(Date.now() + expiresInMs) }),
    ...(chosen('identity-verification') === 'required' && { userVerification: 'required' }),
  };
}

export function splitHosts(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}
