import { createClient, type IdentityStore, type MtlsClient } from 'browser-mtls';
import type { DemoConfig } from './config.js';
import { DemoError } from './problems.js';

/** `auto`: the store decides by host. `none`: no certificate. Otherwise the id of an identity, for whatever host. */
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
    return createClient({
      tunnel: relay.url,
      tunnelToken: relay.token,
      trust: { anchors },
      identities: await this.#identities(choice),
    });
  }

  async #identities(choice: IdentityChoice) {
    if (choice === 'auto') return this.#store;
    if (choice === 'none') return [];
    const found = await this.#store.find({ id: choice });
    if (found.length === 0)
      throw new DemoError('ERR_IDENTITY_NOT_FOUND', 'the chosen identity is not in the store');
    return found;
  }
}
