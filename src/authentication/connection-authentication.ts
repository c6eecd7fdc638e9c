import type { ClientCredential } from '../engine/credential.js';
import { MtlsError } from '../errors.js';
import type { Admission } from '../http/plaintext-stream.js';
import { assertAllowed } from '../identity/assert-allowed.js';
import type { CertificateReader } from '../identity/certificates/certificate-reader.js';
import { type KeyAccess, keyAccessOf } from '../identity/key-access.js';
import { credentialOf } from '../identity/signatures/signing.js';
import type { Certificate, StoredIdentity } from '../identity/types.js';
import { isCertificateRefusal } from '../tls/errors/failure.js';
import type { CertificateRequest, ServerTrustQuestion } from '../tls/types.js';
import { toHex } from '../util/encoding.js';
import type { HostPort } from '../util/host-port.js';
import { type Basis, newBasis } from './answers/basis.js';
import type { HostAnswers } from './answers/host-answers.js';
import type { ServerVerdict } from './answers/server-verdict.js';
import type { Challenges } from './challenges.js';
import { chainToSend } from './choice/accepted-chain.js';
import { unsupportedSchemes } from './choice/candidates.js';
import type { Choice, ChosenIdentity } from './choice/choice.js';
import { defaultChoice } from './choice/default-choice.js';
import type { KnownIdentities } from './choice/known-identities.js';
import type { Foresight } from './foresight.js';
import type { Identities } from './identities.js';
import type { IdentityUsage } from './identity-usage.js';
import type { Resumable, Reviews } from './reviews.js';

/** The parts of a client that decide. */
export interface Deciders {
  identities: Identities;
  /** Absent without a challenge handler. */
  challenges: Challenges | undefined;
  foresight: Foresight;
  reviews: Reviews;
  usage: IdentityUsage;
  reader: CertificateReader;
}

/**
 * The authentication of one connection, in the shape that `TlsConnection.connect` takes. A connection that has to be made again,
 * because the server did not wait for an answer, is given the answer that was meant for it.
 */
export class ConnectionAuthentication {
  #by: Deciders;
  #answers: HostAnswers;
  #known: KnownIdentities;
  #choice: Choice | undefined;
  #verdicts = new Map<string, ServerVerdict>();
  /** Of the answers that it was made by. */
  #epoch: number;
  #answered = false;
  #basis: Basis;
  #partition = '';

  constructor(by: Deciders, answers: HostAnswers, known: KnownIdentities) {
    this.#by = by;
    this.#answers = answers;
    this.#known = known;
    this.#epoch = answers.epoch;
    this.#basis = newBasis(known);
  }

  get #target(): HostPort {
    return this.#answers.target;
  }

  /** Call this when a connection begins: answers to other connections change the result. */
  begin(): Resumable {
    const resumable = this.#by.reviews.resumable(this.#answers, this.#known);
    this.#partition = resumable.partition;
    return resumable;
  }

  /** @param waiting aborts when the connection is not wanted any more */
  async authenticate(
    request: CertificateRequest,
    waiting: AbortSignal,
  ): Promise<ClientCredential | undefined> {
    this.#choice ??= await this.#choose(request, waiting);
    const choice = this.#choice;
    this.#noteAnswer(choice);
    this.#noteBasis({ shown: { request, choice } });
    if ('absence' in choice) {
      this.#basis.absence = choice.absence;
      return undefined;
    }
    const credential = await this.#credentialOf(choice, request);
    if (!credential.schemes.some(scheme => request.schemes.includes(scheme))) {
      this.#basis.absence = `the key of the chosen identity ${unsupportedSchemes(request)}`;
      return undefined;
    }
    const access = keyAccessOf(choice.identity);
    if (access) await this.#notePresented(access);
    return credential;
  }

  async #choose(request: CertificateRequest, waiting: AbortSignal): Promise<Choice> {
    const { challenges, foresight } = this.#by;
    const known = this.#known;
    return challenges
      ? challenges.chooseIdentity(this.#answers, request, { known, waiting })
      : defaultChoice(this.#target, known, foresight.candidates(known, request));
  }

  /** An answer that names an identity which no store has is not given to anybody else. */
  async #credentialOf(choice: ChosenIdentity, request: CertificateRequest): Promise<ClientCredential> {
    const { identity, intermediates = [] } = choice;
    const chain = [...(await chainToSend(identity, request, this.#by.reader)), ...intermediates];
    try {
      return await usableCredential({ identity, chain }, { target: this.#target, version: request.version });
    } catch (error) {
      const isGone = error instanceof MtlsError && error.code === 'ERR_IDENTITY_NOT_FOUND';
      if (isGone && this.#answers.choice.held === choice) this.#answers.choice.forget();
      throw error;
    }
  }

  /** @param waiting aborts when the connection is not wanted any more */
  async evaluateServer(question: ServerTrustQuestion, waiting: AbortSignal): Promise<ServerVerdict['trust']> {
    const key = verdictKey(question);
    const verdict = this.#verdicts.get(key) ?? (await this.#judge(question, waiting));
    this.#verdicts.set(key, verdict);
    this.#noteAnswer(verdict);
    if (verdict.stored) this.#noteBasis({ trusted: verdict.stored });
    return verdict.trust;
  }

  async #judge(question: ServerTrustQuestion, waiting: AbortSignal): Promise<ServerVerdict> {
    const { challenges } = this.#by;
    return challenges ? challenges.judgeServer(this.#answers, question, waiting) : { trust: 'as-verified' };
  }

  /** The grounds of a connection that has been made: its own handshake, or the one that left the session. */
  basis({ resumed, sessions }: { resumed: boolean; sessions: Resumable }): Basis {
    return resumed ? (sessions.basis ?? newBasis(this.#known)) : this.#basis;
  }

  /**
   * Whether the connection, once made, may be used for something more: asked before each request. Stored identities have
   * controls, and are deleted and locked; others come; answers are given and forgotten.
   */
  admission(basis: Basis): Admission {
    const { reviews } = this.#by;
    const [answers, epoch] = [this.#answers, this.#epoch];
    return {
      settled: () => reviews.settled(answers, basis),
      holds: () => epoch === answers.epoch && reviews.holds(answers, basis),
      noteUse: () => reviews.noteUse(answers, basis),
      noteRefusal: () => reviews.end(answers, basis),
    };
  }

  /** Whether the connection failed because of an identity, or for want of one, and another choice would be made now. */
  async isOutdated(error: unknown): Promise<boolean> {
    const isIdentity = error instanceof MtlsError && error.code.startsWith('ERR_IDENTITY_');
    if (!isIdentity && !isCertificateRefusal(error)) return false;
    if (!this.#basis.shown) return this.#by.identities.revision(this.#answers) !== this.#known.revision;
    await this.#by.reviews.settled(this.#answers, this.#basis);
    return this.#basis.over;
  }

  readonly absence = (): string | undefined => this.#basis.absence;

  /** Ends the sessions: by one of them, the next connection would be the same client. */
  readonly endSessions = (): void => this.#answers.sessions.end();

  /** The identity as its store has it now: the answer may be an old one. */
  async #notePresented(access: KeyAccess): Promise<void> {
    const revision = this.#known.revision + access.revision();
    const presented = await access.current();
    if (!presented) return;
    this.#by.usage.enter(presented, this.#target);
    this.#noteBasis({ presented, revision });
  }

  #noteBasis(known: Partial<Basis>): void {
    Object.assign(this.#basis, known);
    this.#answers.sessions.note(this.#partition, this.#basis);
  }

  #noteAnswer(answer: Choice | ServerVerdict): void {
    // The question may have been open while the answers of before were forgotten.
    if (!this.#answered) this.#epoch = this.#answers.epoch;
    this.#answered = true;
    // What was answered for this connection alone, or has been forgotten since, must not be resumed by another one.
    const once = 'once' in answer && answer.once;
    if (once || this.#epoch !== this.#answers.epoch) this.#answers.sessions.end();
  }
}

function verdictKey({ chain, error }: ServerTrustQuestion): string {
  return JSON.stringify([toHex(chain[0] ?? new Uint8Array(0)), error?.code]);
}

/** A stored identity's keys come from its store each time, which checks the controls. Those of any other are checked here. */
async function usableCredential(
  { identity, chain }: { identity: StoredIdentity; chain: Certificate[] },
  { target, version }: { target: HostPort; version: CertificateRequest['version'] },
): Promise<ClientCredential> {
  const access = keyAccessOf(identity);
  if (!access) {
    assertAllowed(identity.controls, target);
    return credentialOf({ keys: identity.keys, chain }, version);
  }
  return {
    ...credentialOf({ keys: await access.use(target), chain }, version),
    async sign(scheme, message) {
      return credentialOf({ keys: await access.use(target), chain }, version).sign(scheme, message);
    },
  };
}
