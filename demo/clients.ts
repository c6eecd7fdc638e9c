import {
  type Challenge,
  type ChallengeHandler,
  createClient,
  type IdentityStore,
  type MtlsClient,
  type RememberedAnswer,
  type StoredIdentity,
} from 'browser-mtls';
import type { DemoConfig } from './config.js';
import { networkListener } from './network-panel.js';
import { DemoError } from './problems.js';
import { picker, TrustDesk } from './trust-desk.js';

/**
 * `auto`: the identity that may be sent to the host; when there are several, the person is asked. `ask`: the person is always asked,
 * unless the answer is remembered. `none`: no certificate. Otherwise the id of an identity.
 */
export type IdentityChoice = string;

/** One client for each choice of identity, kept for its open connections. */
export class Clients {
  readonly trust = new TrustDesk();
  readonly #config: DemoConfig;
  readonly #store: IdentityStore;
  readonly #clients = new Map<IdentityChoice, Promise<MtlsClient>>();

  constructor(config: DemoConfig, store: IdentityStore) {
    this.#config = config;
    this.#store = store;
  }

  async get(choice: IdentityChoice): Promise<MtlsClient> {
    const existing = this.#clients.get(choice);
    if (existing) return existing;
    const created = this.#create(choice);
    this.#clients.set(choice, created);
    // A client that could not be made must not stand in the way of the next attempt.
    created.catch(() => this.#clients.delete(choice));
    return created;
  }

  async closeAll(): Promise<void> {
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    await Promise.allSettled(clients.map(async client => (await client).close()));
  }

  /** Those of all clients; one for good is known to each that uses the store. */
  async answers(): Promise<RememberedAnswer[]> {
    const all = await Promise.all(Array.from(await this.#open(), client => client.answers()));
    const distinct = new Map(all.flat().map(answer => [keyOf(answer), answer]));
    return [...distinct.values()];
  }

  /** `host:port`, or every server. */
  async forget(host?: string): Promise<void> {
    await Promise.all(Array.from(await this.#open(), client => client.forget(host)));
  }

  /** With the one that knows what is kept in the store. */
  async #open(): Promise<MtlsClient[]> {
    await this.get('auto');
    return Promise.all(this.#clients.values());
  }

  async #create(choice: IdentityChoice): Promise<MtlsClient> {
    const { relay, anchors } = this.#config;
    const diagnostics = { onEvent: networkListener(), performanceTimeline: true };
    const common = { tunnel: relay.url, tunnelToken: relay.token, trust: { anchors }, diagnostics };
    const client = (identify: ChallengeHandler, identities: IdentityStore | [] = []) => {
      const onChallenge = (challenge: Challenge) =>
        challenge.method === 'server-trust' ? this.trust.answer(challenge) : identify(challenge);
      return createClient({ ...common, identities, onChallenge });
    };
    if (choice === 'auto') return client(askWhenUnclear, this.#store);
    if (choice === 'ask') return client(picker().answer, this.#store);
    if (choice === 'none') return client(() => ({ disposition: 'default' }));
    return client(showing(await this.#find(choice)));
  }

  async #find(id: string): Promise<StoredIdentity> {
    const [identity] = await this.#store.find({ id });
    if (!identity) throw new DemoError('ERR_IDENTITY_NOT_FOUND', 'the chosen identity is not in the store');
    return identity;
  }
}

/** One identity that fits is sent without a question, as without a handler; otherwise the person is asked, if there is a choice. */
const askWhenUnclear: ChallengeHandler = challenge => {
  if (challenge.method !== 'client-certificate' || challenge.candidates.length === 1)
    return { disposition: 'default' };
  const choices = [...challenge.candidates, ...challenge.others.filter(it => it.selectable)];
  return choices.length > 0 ? picker().answer(challenge) : { disposition: 'default' };
};

/** What a person chose by hand goes to whatever host asks, unless the identity is for other hosts. */
function showing(identity: StoredIdentity): ChallengeHandler {
  return () => ({ disposition: 'use-credential', credential: { identity } });
}

function keyOf({ method, host, persistence, identity, fingerprint }: RememberedAnswer): string {
  return JSON.stringify([method, host, persistence, identity?.id, fingerprint]);
}
