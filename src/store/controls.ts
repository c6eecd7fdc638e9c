import { checkHostPatterns } from '../identity/hosts.js';
import type { Identity, IdentityControls } from '../identity/types.js';

const checks: Record<keyof IdentityControls, (value: unknown) => void> = {
  label(value) {
    if (typeof value !== 'string') throw new TypeError('label is a string');
  },
  hosts(value) {
    if (!Array.isArray(value) || !value.every(it => typeof it === 'string'))
      throw new TypeError('hosts is an array of host patterns');
    checkHostPatterns(value);
  },
};

/**
 * A copy of the controls. A control that this version does not know is refused: the keychain must not seem to keep a
 * promise that it does not enforce.
 *
 * @throws TypeError
 */
export function checkedControls(controls: Partial<IdentityControls>): IdentityControls {
  for (const [name, value] of Object.entries(controls)) {
    if (!Object.hasOwn(checks, name)) throw new TypeError(`unknown control: ${name}`);
    checks[name as keyof IdentityControls](value);
  }
  return structuredClone(controls);
}

/** @throws TypeError unless the identity has keys, and none of them can be exported. */
export function checkKeys({ keys, certificate }: Identity): void {
  if (!certificate?.fingerprint) throw new TypeError('an identity has a certificate');
  if (!Array.isArray(keys) || keys.length === 0) throw new TypeError('an identity has keys');
  for (const key of keys) {
    if (!(key instanceof CryptoKey) || key.type !== 'private')
      throw new TypeError("an identity's keys are private CryptoKeys");
    if (key.extractable) throw new TypeError('keys that can be exported are not stored');
  }
}
