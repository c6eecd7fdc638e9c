import { hostsAllow } from '../identity/hosts.js';
import { keyAccessOf } from '../identity/key-access.js';
import type { ListedIdentity, StoredIdentity } from '../identity/types.js';
import type { HostPort } from '../util/host-port.js';
import type { AnswerStore, StoredAnswers } from './answers/stored-answers.js';
import type { KnownIdentities } from './choice/known-identities.js';

/** Where identities come from: a store, or a list. */
export interface IdentitySource {
  find(): Promise<StoredIdentity[]>;
  /** Another number after each change of what `find` or `answers` give. */
  readonly revision?: number;
  /** What was answered for good. */
  readonly answers?: AnswerStore;
}

/** A host, and whether the page itself has asked for it. */
export interface AskedTarget {
  readonly target: HostPort;
  readonly asked: boolean;
}

/** Larger than the revision that goes with an identity which leaves the list, so that no sum comes back. */
const LIST_CHANGE = 2 ** 32;

/** The identities of a client, as they are now. */
export class Identities {
  #source: IdentitySource | ListedIdentity[];
  #stored: StoredAnswers;
  /** The list as it was seen last: the page may change it. */
  #list: ListedIdentity[] = [];
  #listChanges = 0;

  constructor(source: IdentitySource | ListedIdentity[], stored: StoredAnswers) {
    this.#source = source;
    this.#stored = stored;
  }

  /** Whether they were given as a list, not by a store. */
  get areListed(): boolean {
    return Array.isArray(this.#source);
  }

  /** Another number after each change of what `for` gives. */
  revision({ asked }: AskedTarget): number {
    const source = Array.isArray(this.#source) ? this.#listRevision(this.#source) : this.#source.revision;
    return (source ?? 0) + Number(asked);
  }

  #listRevision(source: ListedIdentity[]): number {
    const list = this.#list;
    if (source.length !== list.length || source.some((it, index) => it !== list[index])) {
      this.#list = [...source];
      this.#listChanges += LIST_CHANGE;
    }
    return source.reduce((sum, it) => sum + (keyAccessOf(it)?.revision() ?? 0), this.#listChanges);
  }

  async all(): Promise<StoredIdentity[]> {
    if (!Array.isArray(this.#source)) return this.#source.find();
    return Promise.all(this.#source.map(currentOf));
  }

  async for(askedTarget: AskedTarget): Promise<KnownIdentities> {
    const { target, asked } = askedTarget;
    const revision = this.revision(askedTarget);
    const [all, answerKeys] = await Promise.all([this.all(), this.#stored.keys(target)]);
    const allowed = all.filter(it => isAllowed(it, target, this.areListed && asked));
    return {
      all,
      allowed,
      redirected: this.areListed && !asked,
      answerKeys,
      revision,
      untilMs: nextChange(all),
    };
  }
}

/** `withoutHosts`: whether an identity for which no `hosts` are set is allowed. */
function isAllowed(
  { controls: { hosts = [] } }: StoredIdentity,
  { hostname, port }: HostPort,
  withoutHosts: boolean,
): boolean {
  return hosts.length === 0 ? withoutHosts : hostsAllow(hosts, hostname, port);
}

/** A listed identity of a store has the controls that the store has for it now. One that the store has lost says so when it is used. */
async function currentOf(identity: ListedIdentity): Promise<StoredIdentity> {
  const current = await keyAccessOf(identity)
    ?.current()
    .catch(() => undefined);
  return current ?? asStored(identity);
}

export function asStored(identity: ListedIdentity): StoredIdentity {
  const { controls = {} } = identity;
  const { fingerprint } = identity.certificate;
  return { id: fingerprint, createdAt: new Date(), locked: false, ...identity, controls };
}

function nextChange(identities: readonly StoredIdentity[]): number {
  const changes = identities.flatMap(({ certificate: { notBefore, notAfter }, controls: { expiresAt } }) => [
    notBefore.getTime(),
    // Up to and including this moment it is valid.
    notAfter.getTime() + 1,
    expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
  ]);
  const now = Date.now();
  return Math.min(...changes.filter(it => it > now));
}
