import { MtlsError } from '../errors.js';
import type { CertificateReader } from '../identity/certificate-reader.js';
import { hostsAllow } from '../identity/hosts.js';
import type { KeyTarget } from '../identity/key-access.js';
import type { Certificate, ListedIdentity, StoredIdentity } from '../identity/types.js';
import type { CertificateRequest, ServerTrustQuestion } from '../tls/types.js';
import { chainToSend } from './accepted-chain.js';
import { KeptAnswers } from './answer-store.js';
import { offeredIds } from './candidates.js';
import type { ChallengeHandler, Disposition, IdentityCredential, RememberedAnswer } from './challenge.js';
import { ConnectionAuthentication, type Resumable } from './connection-authentication.js';
import { defaultChoice } from './default-choice.js';
import { checkDisposition, identityOf, persistenceOf, trustOf } from './dispositions.js';
import { dropOutdatedRejection, Foresight } from './foresight.js';
import { type Choice, HostAnswers, hostKey, type Shown, type Verdict } from './host-answers.js';
import { IdentityUsage } from './identity-usage.js';
import { asStored, Identities, type IdentitySource, type KnownIdentities } from './known-identities.js';
import { Reviews } from './reviews.js';
import { schemeName } from './scheme-names.js';
import type { Given } from './shared-answer.js';

/** Decides, for every connection of a client, which identity is shown and which server is trusted. */
export class Authentication {
  readonly usage = new IdentityUsage();
  readonly reviews: Reviews;
  #identities: Identities;
  #foresight: Foresight;
  #handler: ChallengeHandler | undefined;
  #reader: CertificateReader;
  #kept: KeptAnswers;
  #hosts = new Map<string, HostAnswers>();

  constructor(options: {
    identities: IdentitySource | ListedIdentity[];
    handler: ChallengeHandler | undefined;
    reader: CertificateReader;
  }) {
    const { identities: source, handler, reader } = options;
    this.#handler = handler;
    this.#reader = reader;
    const store = Array.isArray(source) ? undefined : source.answers;
    const kept = new KeptAnswers(store, der => reader.describe(der));
    const identities = new Identities(source, kept);
    const foresight = new Foresight({ kept, reader, hasHandler: handler !== undefined });
    this.#kept = kept;
    this.#identities = identities;
    this.#foresight = foresight;
    this.reviews = new Reviews({ identities, foresight, kept, usage: this.usage });
  }

  /** The page itself asks for a host, by `fetch`, `WebSocket` or `connect`; a redirect may lead elsewhere. */
  noteAsked(target: KeyTarget): void {
    this.#answersOf(target).asked = true;
  }

  /** What one connection to a target may show. */
  async prepare(target: KeyTarget): Promise<ConnectionAuthentication> {
    const answers = this.#answersOf(target);
    const known = await this.#identities.for(answers);
    this.reviews.followStore(answers, known);
    // A session must not bring back what it was made by.
    const { basis } = this.resumable(answers, known);
    if (basis) await this.reviews.settled(basis);
    return new ConnectionAuthentication(this, answers, known);
  }

  /** Another number after each change of what `prepare` goes by. */
  revision(answers: HostAnswers): number {
    return this.#identities.revision(answers);
  }

  /** The sessions that a connection may resume. */
  resumable(answers: HostAnswers, known: KnownIdentities): Resumable {
    const partition = answers.partition(known);
    const basis = answers.sessions(partition);
    if (!basis || this.reviews.holds(basis)) return { partition, basis };
    this.reviews.end(basis);
    return { partition: answers.partition(known), basis: undefined };
  }

  /** Answers to be asked for again, and their connections not to be used again. `matches` is told a host and port. */
  async forget(matches: (target: KeyTarget) => boolean): Promise<void> {
    for (const answers of this.#hosts.values()) if (matches(answers.target)) answers.forget();
    await this.#kept.forget(matches);
  }

  /** The answers that hold, those for good first. */
  async remembered(): Promise<RememberedAnswer[]> {
    const all = await this.#identities.all();
    const session = [...this.#hosts].flatMap(([host, { choice, verdicts }]): RememberedAnswer[] => [
      ...[...verdicts.values()]
        .filter(({ slot }) => slot.held)
        .map(({ fingerprint }) => ({
          method: 'server-trust' as const,
          host,
          persistence: 'session' as const,
          fingerprint,
        })),
      ...(choice.held ? [rememberedChoice(host, choice.held)] : []),
    ]);
    return [...(await this.#kept.list(all)), ...session];
  }

  #answersOf(target: KeyTarget): HostAnswers {
    const key = hostKey(target);
    const answers = this.#hosts.get(key) ?? new HostAnswers(target);
    this.#hosts.set(key, answers);
    return answers;
  }

  async choose(
    answers: HostAnswers,
    request: CertificateRequest,
    { known, waiting }: { known: KnownIdentities; waiting: AbortSignal },
  ): Promise<Choice> {
    const { target } = answers;
    const candidates = this.#foresight.candidates(known, request);
    const handler = this.#handler;
    if (!handler) return defaultChoice(target, known, candidates);
    dropOutdatedRejection(answers, candidates);
    return answers.choice.get(async signal => {
      const kept = await this.#kept.choice(target, known, candidates);
      if (kept) return { value: kept, holds: false };
      signal.throwIfAborted();
      const answer = await handler({
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
      return this.#handlerChoice(checkDisposition(answer), answers, request);
    }, waiting);
  }

  chainToSend(identity: StoredIdentity, request: CertificateRequest): Promise<Certificate[]> {
    return chainToSend(identity, request, this.#reader);
  }

  async #handlerChoice(
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
    const value = this.#shown(credential, known);
    if (persistence === 'none') return { value: { ...value, asked, once: true }, holds: false };
    if (answers.epoch !== epoch) return { value: { ...value, asked }, holds: false };
    if (persistence === 'session' || !(await this.#kept.keepChoice(target, value)))
      return { value, holds: true };
    // What is kept for good is read again each time: another tab may forget it. One that has expired is not found then.
    const found = await this.#kept.choice(target, known, candidates);
    return { value: found ? value : { ...value, asked }, holds: false };
  }

  #shown({ identity: given, intermediates = [] }: IdentityCredential, known: KnownIdentities): Shown {
    const identity = asStored(given);
    const { id } = identity;
    const isStored = !this.#identities.areListed && known.all.some(it => it.id === id);
    const wasAllowed = known.allowed.some(it => it.id === id);
    return { identity, intermediates, ...(isStored && { wasAllowed }) };
  }

  async evaluate(
    answers: HostAnswers,
    { chain: ders, error }: ServerTrustQuestion,
    waiting: AbortSignal,
  ): Promise<Verdict> {
    const handler = this.#handler;
    if (!handler) return { trust: 'as-verified' };
    const { target } = answers;
    const chain = this.#reader.describeChain(ders);
    const seen = { fingerprint: chain[0]?.fingerprint ?? '', code: error?.code };
    return answers.verdict(seen.fingerprint, seen.code).get(async signal => {
      if (await this.#kept.trusts(target, seen))
        return { value: { trust: 'trust', kept: seen }, holds: false };
      signal.throwIfAborted();
      const { hostname: host, port } = target;
      const answer = await handler({
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
      const kept = persistence === 'permanent' && (await this.#kept.keepTrust(target, seen));
      return { value: { trust: 'trust', ...(kept && { kept: seen }) }, holds: !kept };
    }, waiting);
  }
}

/** A matcher for `forget`: `host` (every port), `host:port`, or a pattern as in the control `hosts`; undefined: everything. */
export function hostMatcher(host: string | undefined): (target: KeyTarget) => boolean {
  if (host === undefined) return () => true;
  hostsAllow([host], 'localhost', 1); // throws a TypeError for what is no pattern
  return ({ hostname, port }) => hostsAllow([host], hostname, port);
}

function rememberedChoice(host: string, choice: Choice): RememberedAnswer {
  const identity = 'absence' in choice ? {} : { identity: choice.identity };
  return { method: 'client-certificate', host, persistence: 'session', ...identity };
}

function cancelled(target: KeyTarget): MtlsError {
  return new MtlsError('ERR_TLS_CHALLENGE_CANCELLED', `The challenge of ${hostKey(target)} was cancelled.`);
}

function untrusted(target: KeyTarget, cause: MtlsError | undefined): MtlsError {
  const message = `The challenge handler does not trust ${hostKey(target)}.`;
  return new MtlsError('ERR_TLS_CERT_UNTRUSTED', message, { cause });
}
