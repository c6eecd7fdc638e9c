import { checkHostPatterns } from '../identity/hosts.js';
import type { Identity, IdentityControls } from '../identity/types.js';
import { isListOf } from '../util/lists.js';
import { checkedInteger, checkOptionNames } from '../util/options.js';

/** A year: more is no idle timeout. */
const MAX_IDLE_TIMEOUT_MS = 366 * 24 * 60 * 60 * 1000;

const checks: Record<keyof IdentityControls, (value: unknown) => void> = {
  label(value) {
    if (typeof value !== 'string') throw new TypeError('"controls.label" must be a string');
  },
  hosts(value) {
    if (!isListOf(value, it => typeof it === 'string'))
      throw new TypeError('"controls.hosts" must be a list of host patterns');
    checkHostPatterns(value, 'controls.hosts');
  },
  persistence: oneOf('persistence', ['permanent', 'session']),
  userVerification: oneOf('userVerification', ['none', 'required']),
  expiresAt(value) {
    if (!(value instanceof Date) || Number.isNaN(value.getTime()))
      throw new TypeError('"controls.expiresAt" must be a valid Date');
  },
  idleTimeoutMs(value) {
    checkedInteger('controls.idleTimeoutMs', value, { min: 1, max: MAX_IDLE_TIMEOUT_MS });
  },
};

function oneOf(name: string, values: readonly string[]) {
  return (value: unknown) => {
    if (!values.includes(value as string))
      throw new TypeError(`"controls.${name}" must be one of ${values.join(', ')}`);
  };
}

/**
 * A copy of the controls, without those that are undefined. A control that this version does not know is refused: the keychain
 * must not seem to keep a promise that it does not enforce.
 *
 * @throws TypeError
 */
export function checkedControls(controls: Partial<IdentityControls>): IdentityControls {
  const given = definedControls(controls);
  for (const [name, value] of Object.entries(given)) checks[name as keyof IdentityControls](value);
  return structuredClone(given);
}

function definedControls(controls: Partial<IdentityControls>): IdentityControls {
  checkOptionNames(controls, checks, 'controls.');
  return Object.fromEntries(Object.entries(controls).filter(([, value]) => value !== undefined));
}

/** Whether a stored value is controls that `checkedControls` would take. */
export function areControls(value: unknown): value is IdentityControls {
  if (typeof value !== 'object' || value === null) return false;
  try {
    checkedControls(value);
    return true;
  } catch {
    return false;
  }
}

/**
 * The controls after a change; one that is given as undefined goes back to its default.
 *
 * @param requiredLate what to throw when `userVerification` is to be required from now on; default: a TypeError
 * @throws TypeError for a control that is not one, and for another `userVerification`
 */
export function changedControls(
  controls: IdentityControls,
  change: Partial<IdentityControls>,
  requiredLate?: () => Error,
): IdentityControls {
  const checked = checkedControls(change);
  const removed = Object.keys(change).filter(name => !Object.hasOwn(checked, name));
  const kept = Object.entries(controls).filter(([name]) => !removed.includes(name));
  const changed: IdentityControls = { ...Object.fromEntries(kept), ...checked };
  const [before, after] = [controls, changed].map(it => it.userVerification ?? 'none');
  if (before !== after && after === 'required' && requiredLate) throw requiredLate();
  if (before !== after)
    throw new TypeError(
      '"controls.userVerification" must not be changed: it is set when an identity is added',
    );
  return changed;
}

/** @throws TypeError unless the identity has keys, and none of them can be exported. */
export function checkKeys({ keys, certificate }: Identity): void {
  if (!certificate?.fingerprint) throw new TypeError('"identity" must have a certificate');
  if (!Array.isArray(keys) || keys.length === 0) throw new TypeError('"identity" must have keys');
  for (const key of keys) {
    if (!(key instanceof CryptoKey) || key.type !== 'private')
      throw new TypeError('"identity.keys" must be private CryptoKeys');
    if (key.extractable) throw new TypeError('"identity.keys" must be non-extractable');
  }
}
