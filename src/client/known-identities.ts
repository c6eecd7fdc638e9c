import { hostsAllow } from '../identity/hosts.js';
import { type KeyTarget, keyAccessOf } from '../identity/key-access.js';
import type { ListedIdentity, StoredIdentity } from '../identity/types.js';
import type { AnswerStore, KeptAnswers } from './answer-store.js';
import type { HostAnswers, Shown } from './host-answers.js';

/** Where identities come from: a store, or a list. */
export interface IdentitySource {
  find(): Promise<StoredIdentity[]>;
  /** Another number after each change of what `find` or `answers` give. */
  readonly revision?: number;
  /** What was answered for good. */
  readonly answers?: AnswerStore;
}

/** The identities that one connection to a target may show. */
export interface KnownIdentities {
  all: StoredIdentity[];
  /** Those that may be shown to the target without a handler naming them. */
  allowed: StoredIdentity[];
  /** Whether identities without `hosts` are left out because the page has not asked for this host itself. */
  redirected: boolean;
  /** Names the answers that are kept for the target for good. */
  kept: readonly string[];
  /** Read before everything else here. */
  revision: number;
  /** When the validity of one of them begins or ends next, in milliseconds. */
  untilMs: number;
}

/** Larger than the revision that goes with an identity which leaves the list, so that no sum comes back. */
const LIST_CHANGE = 2 ** 32;

/** The identities of a client, as they are now. */
export class Identities {
  #source: IdentitySource | ListedIdentity[];
  #kept: KeptAnswers;
  /** The list as it was seen last: the page may change it. */
  #list: ListedIdentity[] = [];
  #listChanges = 0;

  constructor(source: IdentitySource | ListedIdentity[], kept: KeptAnswers) {
    this.#source = source;
    this.#kept = kept;
  }

  /** Whether they were given as a list, not by a store. */
  get areListed(): boolean {
    return Array.isArray(this.#source);
  }

  /** Another number after each change of what `for` gives. */
  revision({ asked }: HostAnswers): number {
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

  async for(answers: HostAnswers): Promise<KnownIdentities> {
    const { target, asked } = answers;
    const revision = this.revision(answers);
    const [all, kept] = await Promise.all([this.all(), this.#kept.keys(target)]);
    const allowed = all.filter(it => isAllowed(it, target, this.areListed && asked));
    return { all, allowed, redirected: this.areListed && !asked, kept, revision, untilMs: nextTurn(all) };
  }
}

/** `withoutHosts`: whether an identity for which no `hosts` are set is allowed. */
function isAllowed(
  { controls: { hosts = [] } }: StoredIdentity,
  { hostname, port }: KeyTarget,
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

/** A stored identity that a handler chose, as it is now; undefined: it is gone, or has lost its permission for the target. */
export function currentIn(
  { all, allowed }: KnownIdentities,
  { identity, wasAllowed }: Shown,
): StoredIdentity | undefined {
  return (wasAllowed ? allowed : all).find(({ id }) => id === identity.id);
}

function nextTurn(identities: readonly StoredIdentity[]): number {
  const turns = identities.flatMap(({ certificate: { notBefore, notAfter }, controls: { expiresAt } }) => [
    notBefore.getTime(),
    // Up to and including this moment it is valid.
    notAfter.getTime() + 1,
    expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
  ]);
  const now = Date.now();
  return Math.min(...turns.filter(it => it > now));
}
