import { MtlsError } from '../errors.js';
import type { CertificateReader } from '../identity/certificates/certificate-reader.js';
import { schemeName } from '../identity/signatures/scheme-names.js';
import type { CertificateRequest, ServerTrustQuestion } from '../tls/types.js';
import { formatHostPort, type HostPort } from '../util/host-port.js';
import type { HostAnswers } from './answers/host-answers.js';
import type { ServerVerdict } from './answers/server-verdict.js';
import type { Given } from './answers/shared-answer.js';
import type { StoredAnswers } from './answers/stored-answers.js';
import type { ChallengeHandler, Disposition, IdentityCredential } from './challenge.js';
import { offeredIds } from './choice/candidates.js';
import type { Choice, ChosenIdentity } from './choice/choice.js';
import { defaultChoice } from './choice/default-choice.js';
import type { KnownIdentities } from './choice/known-identities.js';
import { checkDisposition, identityOf, persistenceOf, trustOf } from './dispositions.js';
import { dropOutdatedRejection, type Foresight } from './foresight.js';
import { asStored, type Identities } from './identities.js';

/** What answers are made of. */
export interface ChallengeParts {
  reader: CertificateReader;
  identities: Identities;
  foresight: Foresight;
  stored: StoredAnswers;
}

/** Answers the two challenges of a connection, by what is remembered or by the handler. Loaded where a client has a handler. */
export class Challenges {
  #handler: ChallengeHandler;
  #reader: CertificateReader;
  #identities: Identities;
  #foresight: Foresight;
  #stored: StoredAnswers;

  constructor(handler: ChallengeHandler, parts: ChallengeParts) {
    this.#handler = handler;
    this.#reader = parts.reader;
    this.#identities = parts.identities;
    this.#foresight = parts.foresight;
    this.#stored = parts.stored;
  }

  /**
   * Which identity a server is shown.
   *
   * @param context `waiting` aborts when the connection is no longer wanted
   * @throws MtlsError ERR_TLS_CHALLENGE_CANCELLED, and whatever the handler throws
   */
  async chooseIdentity(
    answers: HostAnswers,
    request: CertificateRequest,
    { known, waiting }: { known: KnownIdentities; waiting: AbortSignal },
  ): Promise<Choice> {
    const { target } = answers;
    const candidates = this.#foresight.candidates(known, request);
    dropOutdatedRejection(answers, candidates);
    return answers.choice.get(async signal => {
      const stored = await this.#stored.choice(target, known, candidates);
      if (stored) return { value: stored, holds: false };
      signal.throwIfAborted();
      const answer = await this.#handler({
        method: 'client-certificate',
        host: target.hostname,
        port: target.port,
        acceptableIssuers: request.acceptableIssuers.map(name => this.#reader.describeName(name)),
        acceptableIssuersDer: request.acceptableIssuers,
        signatureSchemes: request.schemes.map(schemeName),
        candidates: candidates.fit,
        others: candidates.unfit,
        signal,
      });
      return this.#choiceOf(checkDisposition(answer), answers, request);
    }, waiting);
  }

  /**
   * Whether a server is trusted.
   *
   * @param waiting aborts when the connection is no longer wanted
   * @throws MtlsError ERR_TLS_CHALLENGE_CANCELLED, ERR_TLS_CERT_UNTRUSTED, and whatever the handler throws
   */
  async judgeServer(
    answers: HostAnswers,
    { chain: ders, error }: ServerTrustQuestion,
    waiting: AbortSignal,
  ): Promise<ServerVerdict> {
    const { target } = answers;
    const chain = this.#reader.describeChain(ders);
    const seen = { fingerprint: chain[0]?.fingerprint ?? '', code: error?.code };
    return answers.verdict(seen.fingerprint, seen.code).get(async signal => {
      if (await this.#stored.trusts(target, seen))
        return { value: { trust: 'trust', stored: seen }, holds: false };
      signal.throwIfAborted();
      const { hostname: host, port } = target;
      const answer = await this.#handler({
        method: 'server-trust',
        host,
        port,
        chain,
        ...(error && { error }),
        signal,
      });
      const disposition = checkDisposition(answer);
      if (disposition.disposition === 'default') return { value: { trust: 'as-verified' }, holds: false };
      if (disposition.disposition === 'cancel') throw cancelled(target);
      if (disposition.disposition !== 'use-credential') throw untrusted(target, error);
      const persistence = persistenceOf(trustOf(disposition.credential));
      if (persistence === 'none') return { value: { trust: 'trust', once: true }, holds: false };
      const isStored = persistence === 'permanent' && (await this.#stored.storeTrust(target, seen));
      return { value: { trust: 'trust', ...(isStored && { stored: seen }) }, holds: !isStored };
    }, waiting);
  }

  async #choiceOf(
    disposition: Disposition,
    answers: HostAnswers,
    request: CertificateRequest,
  ): Promise<Given<Choice>> {
    const { target, epoch } = answers;
    if (disposition.disposition === 'cancel') throw cancelled(target);
    // Somebody may just have imported an identity in order to answer.
    const known = await this.#identities.for(answers);
    const candidates = this.#foresight.candidates(known, request);
    const asked = { offered: offeredIds(candidates) };
    if (disposition.disposition === 'default') {
      const value = defaultChoice(target, known, candidates);
      return { value: { ...value, asked: { ...asked, byDefault: true } }, holds: false };
    }
    if (disposition.disposition !== 'use-credential') {
      const value = { absence: 'the challenge handler rejected the request', asked };
      return { value, holds: epoch === answers.epoch };
    }
    const credential = identityOf(disposition.credential);
    const persistence = persistenceOf(credential);
    const value = this.#chosen(credential, known);
    if (persistence === 'none') return { value: { ...value, asked, once: true }, holds: false };
    if (answers.epoch !== epoch) return { value: { ...value, asked }, holds: false };
    if (persistence === 'session' || !(await this.#stored.storeChoice(target, value)))
      return { value, holds: true };
    // A stored answer is read again each time: another tab may forget it. One that has expired is not found then.
    const found = await this.#stored.choice(target, known, candidates);
    return { value: found ? value : { ...value, asked }, holds: false };
  }

  #chosen(
    { identity: given, intermediates = [] }: IdentityCredential,
    known: KnownIdentities,
  ): ChosenIdentity {
    const identity = asStored(given);
    const { id } = identity;
    const isStored = !this.#identities.areListed && known.all.some(it => it.id === id);
    const wasAllowed = known.allowed.some(it => it.id === id);
    return { identity, intermediates, ...(isStored && { wasAllowed }) };
  }
}

function cancelled(target: HostPort): MtlsError {
  return new MtlsError(
    'ERR_TLS_CHALLENGE_CANCELLED',
    `The challenge of ${formatHostPort(target)} was cancelled.`,
  );
}

function untrusted(target: HostPort, cause: MtlsError | undefined): MtlsError {
  const message = `The challenge handler does not trust ${formatHostPort(target)}.`;
  return new MtlsError('ERR_TLS_CERT_UNTRUSTED', message, { cause });
}
