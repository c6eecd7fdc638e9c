import { isCertificate, isIdentity } from '../identity/is-identity.js';
import { isListOf } from '../util/lists.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import type { Disposition, IdentityCredential, Persistence, TrustCredential } from './challenge.js';

const dispositions: readonly unknown[] = ['use-credential', 'default', 'reject', 'cancel'];
const identityNames: OptionNames<IdentityCredential> = {
  identity: true,
  intermediates: true,
  persistence: true,
};
const trustNames: OptionNames<TrustCredential> = { trust: true, persistence: true };
const persistences: readonly unknown[] = ['none', 'session', 'permanent'];

/** @throws TypeError for what is no answer to a challenge */
export function checkDisposition(given: Disposition): Disposition {
  if (dispositions.includes(given?.disposition)) {
    checkOptionNames(given, { disposition: true, credential: true }, 'answer.');
    return given;
  }
  throw new TypeError(
    '"answer.disposition" of a challenge handler must be use-credential, default, reject or cancel',
  );
}

/** @throws TypeError */
export function identityOf(credential: IdentityCredential | TrustCredential | undefined): IdentityCredential {
  const { identity, intermediates = [] } = (credential ?? {}) as Partial<IdentityCredential>;
  if (!isIdentity(identity))
    throw new TypeError(
      '"answer.credential.identity" must be an identity, as in the candidates of the challenge',
    );
  if (!isListOf(intermediates, isCertificate))
    throw new TypeError(
      '"answer.credential.intermediates" must be a list of certificates, as parseCertificates returns it',
    );
  checkOptionNames(credential as object, identityNames, 'answer.credential.');
  return credential as IdentityCredential;
}

/**
 * An identity is no verdict: a handler that answers every challenge with one must not make every server trusted.
 *
 * @throws TypeError
 */
export function trustOf(credential: IdentityCredential | TrustCredential | undefined): TrustCredential {
  const { trust } = (credential ?? {}) as Partial<TrustCredential>;
  if (trust !== true)
    throw new TypeError('"answer.credential.trust" must be true in the answer to a server-trust challenge');
  checkOptionNames(credential as object, trustNames, 'answer.credential.');
  return credential as TrustCredential;
}

/** @throws TypeError */
export function persistenceOf({ persistence = 'session' }: { persistence?: Persistence }): Persistence {
  if (persistences.includes(persistence)) return persistence;
  throw new TypeError('"answer.credential.persistence" must be none, session or permanent');
}
