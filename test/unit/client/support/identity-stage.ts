import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import {
  type Challenge,
  type ClientOptions,
  type Disposition,
  type Identity,
  IdentityStore,
  type MtlsClient,
} from '../../../../src/index.js';
import { identityOf } from '../../../support/client.js';
import { OpensslPki } from '../../../support/openssl-pki.js';
import { Clients } from './clients.js';
import { startWhoami, type WhoamiServer } from './whoami-server.js';

export interface Variant {
  protocol: 'h2' | 'http/1.1';
  tls: 'TLSv1.2' | 'TLSv1.3';
}

export const VARIANTS: Variant[] = [
  { protocol: 'h2', tls: 'TLSv1.3' },
  { protocol: 'h2', tls: 'TLSv1.2' },
  { protocol: 'http/1.1', tls: 'TLSv1.3' },
  { protocol: 'http/1.1', tls: 'TLSv1.2' },
];

/** Servers that say who the client is, and clients with stores of identities. */
export class IdentityStage {
  readonly pki = new OpensslPki();
  #pair = this.pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  #clients = new Clients();
  #servers: WhoamiServer[] = [];
  #stores: IdentityStore[] = [];

  identity(name: string, days?: [first: number, last: number]): Promise<Identity> {
    return identityOf(this.pki.issue({ subject: `/CN=${name}`, ...(days && { days }) }));
  }

  /** A store of its own over the one database of the test, as another tab has it. */
  async openStore(): Promise<IdentityStore> {
    const store = await IdentityStore.open();
    this.#stores.push(store);
    return store;
  }

  async listen({ protocol, tls }: Variant, options: object = {}): Promise<WhoamiServer> {
    const settings = { ...this.#pair, ca: this.pki.ca.cert, minVersion: tls, maxVersion: tls, ...options };
    const server = await startWhoami(settings, protocol);
    this.#servers.push(server);
    return server;
  }

  async visitor(options: Partial<ClientOptions>) {
    const client = await this.#clients.make(this.pki.ca.cert, options);
    return { client, whoami: (url: string) => whoami(client, url) };
  }

  async reset(): Promise<void> {
    await this.#clients.close();
    for (const server of this.#servers.splice(0)) server.close();
    for (const store of this.#stores.splice(0)) store.close();
    globalThis.indexedDB = new IDBFactory();
  }

  close(): void {
    this.pki.close();
  }
}

/** Whom the server takes the client for, or the code of the error. */
async function whoami(client: MtlsClient, url: string): Promise<string> {
  try {
    return await (await client.fetch(url)).text();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

type Answer = (challenge: Challenge & { method: 'client-certificate' }) => Disposition;

/** A handler that gives these answers about identities one after the other, the last one again; and whom it could choose each time. */
export function answering(...answers: Answer[]) {
  const offered: string[][] = [];
  const onChallenge = (challenge: Challenge): Disposition => {
    if (challenge.method === 'server-trust') return { disposition: 'default' };
    offered.push(challenge.candidates.map(it => it.certificate.subject).sort());
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return answer?.(challenge) ?? { disposition: 'default' };
  };
  return { offered, onChallenge };
}

export const reject: Answer = () => ({ disposition: 'reject' });
export const leave: Answer = () => ({ disposition: 'default' });
export const show =
  (identity: Identity, persistence: 'none' | 'session' | 'permanent' = 'session'): Answer =>
  () => ({ disposition: 'use-credential', credential: { identity, persistence } });
/** Bob, where he may be chosen, otherwise Ada, otherwise nobody. */
export const preferBob =
  (persistence: 'none' | 'session' | 'permanent'): Answer =>
  challenge => {
    const named = (subject: string) => challenge.candidates.find(it => it.certificate.subject === subject);
    const identity = named('CN=Bob') ?? challenge.candidates[0];
    return identity ? show(identity, persistence)(challenge) : { disposition: 'reject' };
  };
