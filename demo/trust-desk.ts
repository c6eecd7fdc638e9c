import type { Certificate, ChallengeHandler, Persistence, ServerTrustChallenge } from 'browser-mtls';
import { button, byId, h } from './dom.js';
import { formatDate, formatFingerprint } from './format.js';

/** Servers that verification refused, and those of them that the person trusts all the same. */
export class TrustDesk {
  /** The last one that was refused, until it is asked about. */
  #refused: ServerTrustChallenge | undefined;
  /** What the person said, for the next time that the certificate is asked about. */
  readonly #granted = new Map<string, Persistence>();

  /** Refuses what verification refuses, so that nothing is sent, and shows it: trusting it is a step of its own. */
  readonly answer: ChallengeHandler = challenge => {
    if (challenge.method !== 'server-trust' || !challenge.error) return { disposition: 'default' };
    const persistence = this.#granted.get(keyOf(challenge));
    this.#granted.delete(keyOf(challenge));
    if (persistence) return { disposition: 'use-credential', credential: { trust: true, persistence } };
    this.#refused = challenge;
    return { disposition: 'default' };
  };

  /** Gives what was refused since the last time. */
  take(): ServerTrustChallenge | undefined {
    const refused = this.#refused;
    this.#refused = undefined;
    return refused;
  }

  grant(challenge: ServerTrustChallenge, persistence: Persistence): void {
    this.#granted.set(keyOf(challenge), persistence);
  }
}

function keyOf({ host, port, chain, error }: ServerTrustChallenge): string {
  return JSON.stringify([host, port, chain[0]?.fingerprint, error?.code]);
}

/** The chain of a refused server, and the way to trust it. */
export function trustView(
  challenge: ServerTrustChallenge,
  onTrust: (persistence: Persistence) => void,
): HTMLElement {
  const { host, port, chain } = challenge;
  const choice = h(
    'select',
    { id: 'trust-persistence', 'data-testid': 'trust-persistence' },
    h('option', { value: 'none' }, 'this time'),
    h('option', { value: 'session' }, 'until this page is closed'),
    h('option', { value: 'permanent' }, 'on this device'),
  );
  return h(
    'section',
    { class: 'trust', 'data-testid': 'server-trust', 'aria-label': 'The server’s certificate' },
    h('h3', {}, `${host}:${port} showed ${chain.length === 1 ? 'this certificate' : 'these certificates'}`),
    chainList(chain),
    h(
      'p',
      { class: 'hint' },
      'Nothing has been sent to it. Trust it only if its operator tells you the same fingerprint in another way.',
    ),
    h(
      'div',
      { class: 'row actions' },
      h('div', { class: 'field grow' }, h('label', { for: choice.id }, 'Trust it'), choice),
      button('Trust and connect', () => onTrust(choice.value as Persistence), {
        'data-testid': 'trust',
        class: 'danger-quiet',
      }),
    ),
  );
}

export function chainList(chain: Certificate[]): HTMLElement {
  const items = chain.map(({ subject, issuer, notBefore, notAfter, keyAlgorithm, fingerprint }) =>
    h(
      'li',
      {},
      h('strong', {}, subject),
      h('span', {}, `issued by ${issuer}`),
      h('span', {}, `${keyAlgorithm}, ${formatDate(notBefore)} to ${formatDate(notAfter)}`),
      h('span', { class: 'mono' }, formatFingerprint(fingerprint)),
    ),
  );
  return h('ol', { class: 'chain', 'data-testid': 'server-chain' }, ...items);
}

/** The picker of the page. */
export function picker(): HTMLElementTagNameMap['identity-picker'] {
  return byId('picker', HTMLElement) as HTMLElementTagNameMap['identity-picker'];
}
