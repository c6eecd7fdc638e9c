import { MtlsError } from '../../errors.js';
import { formatHostPort, type HostPort } from '../../util/host-port.js';
import type { Candidates } from './candidates.js';
import type { Choice } from './choice.js';
import type { KnownIdentities } from './known-identities.js';

/** Without a handler: the one identity that fits. With several nobody has said which, so none is shown. */
export function defaultChoice(target: HostPort, known: KnownIdentities, { fit, unfit }: Candidates): Choice {
  const [only] = fit;
  if (only && fit.length === 1) return { identity: only };
  if (only) {
    return {
      absence: `${fit.length} identities are allowed for ${formatHostPort(target)}, and nobody chose one: set onChallenge`,
    };
  }
  // It would be the one, were it not for a control: the page can do something about that.
  const held = unfit.find(({ code }) => code === 'ERR_IDENTITY_LOCKED' || code === 'ERR_IDENTITY_EXPIRED');
  if (held)
    throw new MtlsError(
      held.code,
      `The identity for ${formatHostPort(target)} cannot be used: ${held.message}.`,
    );
  const [first] = unfit.filter(({ identity }) => known.allowed.includes(identity));
  if (first) {
    const reason = `the identity allowed for this host does not fit: ${first.message}`;
    return { absence: `${reason}; import or enrol another one` };
  }
  if (known.all.length > 0) {
    const led = known.redirected ? 'a redirect led there, and ' : '';
    return {
      absence: `${led}no identity is allowed for ${formatHostPort(target)}: add it to the hosts of one`,
    };
  }
  return { absence: 'there is no identity: import or enrol one' };
}
