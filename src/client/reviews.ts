import { hostsAllow } from '../identity/hosts.js';
import { type KeyTarget, keyAccessOf } from '../identity/key-access.js';
import type { StoredIdentity } from '../identity/types.js';
import type { KeptAnswers } from './answer-store.js';
import type { Basis } from './basis.js';
import type { Foresight } from './foresight.js';
import { type HostAnswers, isSameChoice } from './host-answers.js';
import type { IdentityUsage } from './identity-usage.js';
import { currentIn, type Identities, type KnownIdentities } from './known-identities.js';

/**
 * Finds out after a change whether a new connection would be made on the same grounds. The store is not read for each request: a
 * number tells that something has changed, and the clock tells that a validity has begun or ended.
 */
export class Reviews {
  #identities: Identities;
  #foresight: Foresight;
  #kept: KeptAnswers;
  #usage: IdentityUsage;
  #running = new Map<Basis, Promise<void>>();

  constructor(parts: {
    identities: Identities;
    foresight: Foresight;
    kept: KeptAnswers;
    usage: IdentityUsage;
  }) {
    this.#identities = parts.identities;
    this.#foresight = parts.foresight;
    this.#kept = parts.kept;
    this.#usage = parts.usage;
  }

  /** Undefined: `holds` can be asked at once. */
  settled(basis: Basis): Promise<void> | undefined {
    if (this.#isSettled(basis)) return undefined;
    const running =
      this.#running.get(basis) ?? this.#review(basis).finally(() => this.#running.delete(basis));
    this.#running.set(basis, running);
    return running;
  }

  /** As far as it can be told at once. */
  holds({ answers, shown, presented, over }: Basis): boolean {
    if (over || (presented && !this.#usage.holds(presented.id))) return false;
    const { held } = answers.choice;
    return !shown || !held || isSameChoice(held, shown.choice);
  }

  /** A request goes over one of its connections. */
  noteUse({ answers, presented }: Basis): void {
    if (presented) this.#usage.note(presented.id, answers.target);
  }

  /** No request goes over its connections any more, and no session is resumed. */
  end(basis: Basis): void {
    basis.over = true;
    basis.answers.endSessions();
  }

  /** An answer does not outlive the identity's place in the store, or its permission for the target. */
  followStore(answers: HostAnswers, known: KnownIdentities): void {
    const { held } = answers.choice;
    if (!held || 'absence' in held || held.wasAllowed === undefined) return;
    const current = currentIn(known, held);
    if (!current) {
      answers.choice.forget();
      answers.endSessions();
    } else if (current.certificate.fingerprint !== held.identity.certificate.fingerprint) {
      answers.choice.held = { ...held, identity: current };
    }
  }

  #isSettled(basis: Basis): boolean {
    const { over, shown, trusted, revision, untilMs } = basis;
    if (over || (!shown && !trusted)) return true;
    return revision === this.#revisionOf(basis) && Date.now() < untilMs;
  }

  async #review(basis: Basis): Promise<void> {
    const revision = this.#revisionOf(basis);
    try {
      const known = await this.#identities.for(basis.answers);
      this.followStore(basis.answers, known);
      if (!(await this.#stands(basis, known))) return this.end(basis);
      Object.assign(basis, { revision, untilMs: known.untilMs });
    } catch {
      // A new connection tells what is wrong with the store.
      this.end(basis);
    }
  }

  /** The store of the identity that is shown need not be the client's. */
  #revisionOf({ answers, presented }: Basis): number {
    const own = presented && keyAccessOf(presented)?.revision();
    return this.#identities.revision(answers) + (own ?? 0);
  }

  async #stands({ answers, shown, presented, trusted }: Basis, known: KnownIdentities): Promise<boolean> {
    if (trusted && !(await this.#kept.trusts(answers.target, trusted))) return false;
    if (presented && !(await this.#isUsable(presented, answers.target))) return false;
    return !shown || this.#foresight.holds(shown.choice, shown.request, { answers, known });
  }

  /** Whether its store would give the identity's keys for the target, as far as nobody has to confirm it. */
  async #isUsable(identity: StoredIdentity, { hostname, port }: KeyTarget): Promise<boolean> {
    const current = await keyAccessOf(identity)?.current();
    if (!current) return false;
    this.#usage.renew(current);
    const { hosts = [], userVerification } = current.controls;
    if (hosts.length > 0 && !hostsAllow(hosts, hostname, port)) return false;
    return !current.locked || userVerification === 'required';
  }
}
