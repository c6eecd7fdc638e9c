import { MtlsError } from '../errors.js';
import { formatHostPort, type HostPort } from '../util/host-port.js';
import { hostsAllow } from './hosts.js';
import type { IdentityControls } from './types.js';

/**
 * Checks the controls `hosts` and `expiresAt` before an identity is shown to a target.
 *
 * @throws MtlsError ERR_IDENTITY_NOT_ALLOWED, ERR_IDENTITY_EXPIRED
 */
export function assertAllowed({ hosts = [], expiresAt }: IdentityControls, target: HostPort): void {
  if (hosts.length > 0 && !hostsAllow(hosts, target.hostname, target.port)) {
    throw new MtlsError(
      'ERR_IDENTITY_NOT_ALLOWED',
      `This identity may not be shown to ${formatHostPort(target)} (control hosts).`,
    );
  }
  if (expiresAt && Date.now() >= expiresAt.getTime())
    throw new MtlsError('ERR_IDENTITY_EXPIRED', 'The time of this identity is over (control expiresAt).');
}
