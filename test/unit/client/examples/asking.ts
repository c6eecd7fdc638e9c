import type { ChallengeHandler, ClientCertificateChallenge, StoredIdentity } from 'browser-mtls';

/** Two dialogs of the page. */
export interface Dialogs {
  /** Undefined: go on without a certificate. */
  choose(challenge: ClientCertificateChallenge): Promise<StoredIdentity | undefined>;
  trust(host: string, fingerprint: string, problem: string): Promise<boolean>;
}

export function asking(dialogs: Dialogs): ChallengeHandler {
  return async challenge => {
    if (challenge.method === 'client-certificate') {
      const identity = await dialogs.choose(challenge);
      if (!identity) return { disposition: 'reject' };
      return { disposition: 'use-credential', credential: { identity, persistence: 'permanent' } };
    }
    // Verification has passed, or there is nothing to show: it decides.
    const [certificate] = challenge.chain;
    if (!challenge.error || !certificate) return { disposition: 'default' };
    const host = `${challenge.host}:${challenge.port}`;
    const trusted = await dialogs.trust(host, certificate.fingerprint, challenge.error.message);
    if (!trusted) return { disposition: 'cancel' };
    return { disposition: 'use-credential', credential: { trust: true, persistence: 'permanent' } };
  };
}
