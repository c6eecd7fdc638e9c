import { hostsAllow } from '../../identity/hosts.js';
import type { StoredIdentity } from '../../identity/types.js';
import { formatHostPort, type HostPort } from '../../util/host-port.js';
import type { RememberedAnswer } from '../challenge.js';
import type { Choice } from '../choice/choice.js';
import { HostAnswers } from './host-answers.js';
import type { StoredAnswers } from './stored-answers.js';

/** The identities of a client. */
interface IdentityList {
  all(): Promise<readonly StoredIdentity[]>;
}

/** All answers that hold: those for the session, by host, and those that are stored for good. */
export class RememberedAnswers {
  #hosts = new Map<string, HostAnswers>();
  #stored: StoredAnswers;
  #identities: IdentityList;

  constructor(parts: { stored: StoredAnswers; identities: IdentityList }) {
    this.#stored = parts.stored;
    this.#identities = parts.identities;
  }

  of(target: HostPort): HostAnswers {
    const key = formatHostPort(target);
    const answers = this.#hosts.get(key) ?? new HostAnswers(target);
    this.#hosts.set(key, answers);
    return answers;
  }

  /** Answers to be asked for again, and their connections not to be used again. `matches` is told a host and port. */
  async forget(matches: (target: HostPort) => boolean): Promise<void> {
    for (const answers of this.#hosts.values()) if (matches(answers.target)) answers.forget();
    await this.#stored.forget(matches);
  }

  /** Those that are stored for good come first. */
  async list(): Promise<RememberedAnswer[]> {
    const stored = await this.#stored.list(await this.#identities.all());
    return [...stored, ...[...this.#hosts].flatMap(([host, answers]) => listed(host, answers))];
  }
}

/** A matcher for `forget`: `host` (every port), `host:port`, or a pattern as in the control `hosts`; undefined: everything. */
export function hostMatcher(host: string | undefined): (target: HostPort) => boolean {
  if (host === undefined) return () => true;
  // Throws a TypeError for what is not a pattern.
  hostsAllow([host], 'localhost', 1);
  return ({ hostname, port }) => hostsAllow([host], hostname, port);
}

function listed(host: string, { choice, verdicts }: HostAnswers): RememberedAnswer[] {
  const common = { host, persistence: 'session' as const };
  const trusted = [...verdicts.values()]
    .filter(({ answer }) => answer.held)
    .map(({ fingerprint }) => ({ method: 'server-trust' as const, ...common, fingerprint }));
  return [...trusted, ...(choice.held ? [{ ...common, ...listedChoice(choice.held) }] : [])];
}

function listedChoice(choice: Choice): Pick<RememberedAnswer, 'method' | 'identity'> {
  const identity = 'absence' in choice ? {} : { identity: choice.identity };
  return { method: 'client-certificate', ...identity };
}
