import type { CertificateReader } from '../identity/certificates/certificate-reader.js';
import type { CertificateRequest } from '../tls/types.js';
import type { HostAnswers } from './answers/host-answers.js';
import type { StoredAnswers } from './answers/stored-answers.js';
import { type Candidates, offeredIds, sortIdentities } from './choice/candidates.js';
import { type Choice, isSameChoice } from './choice/choice.js';
import { defaultChoice } from './choice/default-choice.js';
import { currentIn, type KnownIdentities } from './choice/known-identities.js';

/** Tells what would be shown to a server, as far as nobody has to be asked for it. */
export class Foresight {
  #stored: StoredAnswers;
  #hasHandler: boolean;
  #reader: CertificateReader;

  constructor(parts: { stored: StoredAnswers; hasHandler: boolean; reader: CertificateReader }) {
    this.#stored = parts.stored;
    this.#hasHandler = parts.hasHandler;
    this.#reader = parts.reader;
  }

  candidates(known: KnownIdentities, request: CertificateRequest): Candidates {
    return sortIdentities({ known, request, reader: this.#reader });
  }

  /** Whether a choice is still the one that a new connection would be made by, for the same request. */
  async holds(
    choice: Choice,
    request: CertificateRequest,
    { answers, known }: { answers: HostAnswers; known: KnownIdentities },
  ): Promise<boolean> {
    const candidates = this.candidates(known, request);
    const byDefault = () => defaultOrNone({ answers, known }, candidates);
    if (!this.#hasHandler) return isSameChoice(choice, byDefault());
    dropOutdatedRejection(answers, candidates);
    const found = answers.choice.held ?? (await this.#stored.choice(answers.target, known, candidates));
    if (found) return isSameChoice(choice, found);
    // The handler would be asked.
    if (!choice.asked || offersMore(candidates, choice.asked.offered) || isWithdrawn(choice, known))
      return false;
    return !choice.asked.byDefault || isSameChoice(choice, byDefault());
  }
}

/** As without a handler, where a control that forbids the one identity leaves none. */
function defaultOrNone(
  { answers, known }: { answers: HostAnswers; known: KnownIdentities },
  candidates: Candidates,
): Choice {
  try {
    return defaultChoice(answers.target, known, candidates);
  } catch {
    return { absence: 'a control forbids the use of the identity' };
  }
}

/** A rejection is about the identities that there were to choose from. */
export function dropOutdatedRejection({ choice }: HostAnswers, candidates: Candidates): void {
  const { held } = choice;
  if (held && 'absence' in held && offersMore(candidates, held.asked?.offered ?? [])) choice.forget();
}

function offersMore(candidates: Candidates, offered: readonly string[]): boolean {
  return offeredIds(candidates).some(id => !offered.includes(id));
}

/** Whether the store has lost the chosen identity, or it has lost its permission for the target. */
function isWithdrawn(choice: Choice, known: KnownIdentities): boolean {
  return !('absence' in choice) && choice.wasAllowed !== undefined && !currentIn(known, choice);
}
