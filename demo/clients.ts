import {
  type ChallengeHandler,
  createClient,
  type IdentityStore,
  type MtlsClient,
  type StoredIdentity,
} from 'browser-mtls';
import type { DemoConfig } from './config.js';
import { byId } from './dom.js';
import { DemoError } from './problems.js';

/** `auto`: the identity that may be sent to the host; when there are several, the person is asked. `none`: no certificate. Otherwise the id of an identity. */
export type IdentityChoice = string;

/** One client for each choice of identity, kept for its open connections. */
export class Clients {
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

  async #create(choice: IdentityChoice): Promise<MtlsClient> {
    const { relay, anchors } = this.#config;
    const common = { tunnel: relay.url, tunnelToken: relay.token, trust: { anchors } };
    if (choice === 'auto')
      return createClient({ ...common, identities: this.#store, onChallenge: askWhenUnclear });
    if (choice === 'none') return createClient(common);
    return createClient({ ...common, onChallenge: showing(await this.#find(choice)) });
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
  const picker = byId('picker', HTMLElement) as HTMLElementTagNameMap['identity-picker'];
  return choices.length > 0 ? picker.answer(challenge) : { disposition: 'default' };
};

/** What a person chose by hand goes to whatever host asks, unless the identity is for other hosts. */
function showing(identity: StoredIdentity): ChallengeHandler {
  return ({ method }) =>
    method === 'client-certificate'
      ? { disposition: 'use-credential', credential: { identity } }
      : { disposition: 'default' };
}
