import { isCertificate, isIdentity } from '../identity/is-identity.js';
import { isListOf } from '../util/lists.js';
import type { Disposition, IdentityCredential, Persistence, TrustCredential } from './challenge.js';

const dispositions: readonly unknown[] = ['use-credential', 'default', 'reject', 'cancel'];
const persistences: readonly unknown[] = ['none', 'session', 'permanent'];

/** @throws TypeError for what is no answer to a challenge */
export function checkDisposition(given: Disposition): Disposition {
  if (dispositions.includes(given?.disposition)) return given;
  throw new TypeError(
    'a challenge handler must answer with { disposition }: use-credential, default, reject or cancel',
  );
}

/** @throws TypeError */
export function identityOf(credential: IdentityCredential | TrustCredential | undefined): IdentityCredential {
  const { identity, intermediates = [] } = (credential ?? {}) as Partial<IdentityCredential>;
  if (!isIdentity(identity))
    throw new TypeError('"credential.identity" must be an identity, as in the candidates of the challenge');
  if (!isListOf(intermediates, isCertificate))
    throw new TypeError(
      '"credential.intermediates" must be a list of certificates, as parseCertificates returns it',
    );
  return credential as IdentityCredential;
}

/**
 * An identity is no verdict: a handler that answers every challenge with one must not make every server trusted.
 *
 * @throws TypeError
 */
export function trustOf(credential: IdentityCredential | TrustCredential | undefined): TrustCredential {
  const { trust } = (credential ?? {}) as Partial<TrustCredential>;
  if (trust === true) return credential as TrustCredential;
  throw new TypeError('"credential" must be { trust: true } in the answer to a server-trust challenge');
}

/** @throws TypeError */
export function persistenceOf({ persistence = 'session' }: { persistence?: Persistence }): Persistence {
  if (persistences.includes(persistence)) return persistence;
  throw new TypeError('"persistence" must be none, session or permanent');
}
