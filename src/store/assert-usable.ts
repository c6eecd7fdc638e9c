import { MtlsError } from '../errors.js';
import { assertAllowed } from '../identity/assert-allowed.js';
import type { HostPort } from '../util/host-port.js';
import type { IdentityRecord } from './records/schema.js';

/**
 * Whether the controls let an identity be used with a target now; what unlocks a wrapped key is asked elsewhere.
 *
 * @throws MtlsError ERR_IDENTITY_NOT_ALLOWED, ERR_IDENTITY_EXPIRED, ERR_IDENTITY_LOCKED
 */
export function assertUsable(record: IdentityRecord, target: HostPort): void {
  assertAllowed(record.controls, target);
  if (!record.wrapped && isLocked(record)) {
    throw new MtlsError('ERR_IDENTITY_LOCKED', 'This identity is locked: unlock it first.');
  }
}

/** By `lock`, or because it has not been used for its idle timeout. */
export function isLocked(record: IdentityRecord): boolean {
  const { lockedAt, lastUsedAt, unlockedAt, createdAt, controls } = record;
  if (lockedAt) return true;
  if (controls.idleTimeoutMs === undefined) return false;
  const lastSign = Math.max(...[createdAt, lastUsedAt, unlockedAt].map(it => it?.getTime() ?? 0));
  return Date.now() - lastSign >= controls.idleTimeoutMs;
}
