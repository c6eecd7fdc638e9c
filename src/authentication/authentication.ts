import type { CertificateReader } from '../identity/certificates/certificate-reader.js';
import type { ListedIdentity } from '../identity/types.js';
import type { HostPort } from '../util/host-port.js';
import { RememberedAnswers } from './answers/remembered-answers.js';
import { StoredAnswers } from './answers/stored-answers.js';
import type { ChallengeParts, Challenges } from './challenges.js';
import { ConnectionAuthentication } from './connection-authentication.js';
import { Foresight } from './foresight.js';
import { Identities, type IdentitySource } from './identities.js';
import { IdentityUsage } from './identity-usage.js';
import { Reviews } from './reviews.js';

/** Decides, for every connection of a client, which identity is shown and which server is trusted. */
export class Authentication {
  readonly answers: RememberedAnswers;
  readonly usage = new IdentityUsage();
  #identities: Identities;
  #challenges: Challenges | undefined;
  #foresight: Foresight;
  #reviews: Reviews;
  #reader: CertificateReader;

  constructor(options: {
    identities: IdentitySource | ListedIdentity[];
    /** With a challenge handler. */
    challengesOf: ((parts: ChallengeParts) => Challenges) | undefined;
    reader: CertificateReader;
  }) {
    const { identities: source, challengesOf, reader } = options;
    const stored = new StoredAnswers(Array.isArray(source) ? undefined : source.answers, reader);
    const identities = new Identities(source, stored);
    const foresight = new Foresight({ stored, reader, hasHandler: challengesOf !== undefined });
    this.answers = new RememberedAnswers({ stored, identities });
    this.#identities = identities;
    this.#challenges = challengesOf?.({ reader, identities, foresight, stored });
    this.#foresight = foresight;
    this.#reviews = new Reviews({ identities, foresight, stored, usage: this.usage });
    this.#reader = reader;
  }

  /** The page itself asks for a host, by `fetch`, `WebSocket` or `connect`; a redirect may lead elsewhere. */
  noteAsked(target: HostPort): void {
    this.answers.of(target).asked = true;
  }

  /** What one connection to a target may show. */
  async prepare(target: HostPort): Promise<ConnectionAuthentication> {
    const answers = this.answers.of(target);
    const known = await this.#identities.for(answers);
    this.#reviews.followStore(answers, known);
    // A session must not bring back the answer that it was made by.
    const { basis } = this.#reviews.resumable(answers, known);
    if (basis) await this.#reviews.settled(answers, basis);
    return new ConnectionAuthentication(
      {
        identities: this.#identities,
        challenges: this.#challenges,
        foresight: this.#foresight,
        reviews: this.#reviews,
        usage: this.usage,
        reader: this.#reader,
      },
      answers,
      known,
    );
  }

  close(): void {
    this.usage.close();
  }
}
