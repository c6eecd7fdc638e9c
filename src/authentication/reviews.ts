import { hostsAllow } from '../identity/hosts.js';
import { keyAccessOf } from '../identity/key-access.js';
import type { StoredIdentity } from '../identity/types.js';
import type { HostPort } from '../util/host-port.js';
import type { Basis } from './answers/basis.js';
import type { HostAnswers } from './answers/host-answers.js';
import type { StoredAnswers } from './answers/stored-answers.js';
import { isSameChoice } from './choice/choice.js';
import { currentIn, type KnownIdentities } from './choice/known-identities.js';
import type { Foresight } from './foresight.js';
import type { Identities } from './identities.js';
import type { IdentityUsage } from './identity-usage.js';

/** The sessions that a connection may resume. */
export interface Resumable {
  partition: string;
  /** The grounds on which they were made; undefined: the server asked for nothing. */
  basis: Basis | undefined;
}

/**
 * Finds out after a change whether a new connection would be made on the same grounds. The store is not read for each request: a
 * number tells that something has changed, and the clock tells that a validity has begun or ended.
 */
export class Reviews {
  #identities: Identities;
  #foresight: Foresight;
  #stored: StoredAnswers;
  #usage: IdentityUsage;
  #running = new Map<Basis, Promise<void>>();

  constructor(parts: {
    identities: Identities;
    foresight: Foresight;
    stored: StoredAnswers;
    usage: IdentityUsage;
  }) {
    this.#identities = parts.identities;
    this.#foresight = parts.foresight;
    this.#stored = parts.stored;
    this.#usage = parts.usage;
  }

  /** The sessions that a connection may resume. */
  resumable(answers: HostAnswers, known: KnownIdentities): Resumable {
    const { sessions } = answers;
    const partition = sessions.nameFor(known);
    const basis = sessions.basisOf(partition);
    if (!basis || this.holds(answers, basis)) return { partition, basis };
    this.end(answers, basis);
    return { partition: sessions.nameFor(known), basis: undefined };
  }

  /** Undefined: `holds` can be asked at once. */
  settled(answers: HostAnswers, basis: Basis): Promise<void> | undefined {
    if (this.#isSettled(answers, basis)) return undefined;
    const running =
      this.#running.get(basis) ?? this.#review(answers, basis).finally(() => this.#running.delete(basis));
    this.#running.set(basis, running);
    return running;
  }

  /** As far as it can be told at once. */
  holds(answers: HostAnswers, { shown, presented, over }: Basis): boolean {
    if (over || (presented && !this.#usage.holds(presented.id))) return false;
    const { held } = answers.choice;
    return !shown || !held || isSameChoice(held, shown.choice);
  }

  /** A request goes over one of its connections. */
  noteUse({ target }: HostAnswers, { presented }: Basis): void {
    if (presented) this.#usage.note(presented.id, target);
  }

  /** No request goes over its connections any more, and no session is resumed. */
  end({ sessions }: HostAnswers, basis: Basis): void {
    basis.over = true;
    sessions.end();
  }

  /** An answer does not outlive the identity's place in the store, or its permission for the target. */
  followStore(answers: HostAnswers, known: KnownIdentities): void {
    const { held } = answers.choice;
    if (!held || 'absence' in held || held.wasAllowed === undefined) return;
    const current = currentIn(known, held);
    if (!current) {
      answers.choice.forget();
      answers.sessions.end();
    } else if (current.certificate.fingerprint !== held.identity.certificate.fingerprint) {
      answers.choice.held = { ...held, identity: current };
    }
  }

  #isSettled(answers: HostAnswers, basis: Basis): boolean {
    const { over, shown, trusted, revision, untilMs } = basis;
    if (over || (!shown && !trusted)) return true;
    return revision === this.#revisionOf(answers, basis) && Date.now() < untilMs;
  }

  async #review(answers: HostAnswers, basis: Basis): Promise<void> {
    const revision = this.#revisionOf(answers, basis);
    try {
      const known = await this.#identities.for(answers);
      this.followStore(answers, known);
      if (!(await this.#stands(basis, { answers, known }))) return this.end(answers, basis);
      Object.assign(basis, { revision, untilMs: known.untilMs });
    } catch {
      // A new connection tells what is wrong with the store.
      this.end(answers, basis);
    }
  }

  /** The store of the identity that is shown need not be the client's. */
  #revisionOf(answers: HostAnswers, { presented }: Basis): number {
    const own = presented && keyAccessOf(presented)?.revision();
    return this.#identities.revision(answers) + (own ?? 0);
  }

  async #stands(
    { shown, presented, trusted }: Basis,
    { answers, known }: { answers: HostAnswers; known: KnownIdentities },
  ): Promise<boolean> {
    if (trusted && !(await this.#stored.trusts(answers.target, trusted))) return false;
    if (presented && !(await this.#isUsable(presented, answers.target))) return false;
    return !shown || this.#foresight.holds(shown.choice, shown.request, { answers, known });
  }

  /** Whether its store would give the identity's keys for the target, as far as nobody has to confirm it. */
  async #isUsable(identity: StoredIdentity, { hostname, port }: HostPort): Promise<boolean> {
    const current = await keyAccessOf(identity)?.current();
    if (!current) return false;
    this.#usage.renew(current);
    const { hosts = [], userVerification } = current.controls;
    if (hosts.length > 0 && !hostsAllow(hosts, hostname, port)) return false;
    return !current.locked || userVerification === 'required';
  }
}
