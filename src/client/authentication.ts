import type { Instance } from '../engine/instance.js';
import { MtlsError } from '../errors.js';
import { describeCertificate, describeChain, describeName } from '../identity/certificate.js';
import { hostsAllow } from '../identity/hosts.js';
import type { KeyTarget } from '../identity/key-access.js';
import type { Certificate, Identity, StoredIdentity } from '../identity/types.js';
import type { CertificateRequest, ServerTrustQuestion } from '../tls/types.js';
import { chainToSend } from './accepted-chain.js';
import { type AnswerStore, KeptAnswers } from './answer-store.js';
import { isAllowed, sortIdentities } from './candidates.js';
import type { ChallengeHandler, Disposition, IdentityCredential, RememberedAnswer } from './challenge.js';
import { ConnectionAuthentication } from './connection-authentication.js';
import { defaultChoice, type KnownIdentities } from './default-choice.js';
import { checkDisposition, identityOf, persistenceOf, trustOf } from './dispositions.js';
import { type Choice, HostAnswers, hostKey, type Verdict } from './host-answers.js';
import { schemeName } from './scheme-names.js';
import type { Given } from './slot.js';
import { Standing } from './standing.js';

/** Where identities come from: a store, or a list whose members are allowed everywhere. */
export interface IdentitySource {
  find(): Promise<StoredIdentity[]>;
  /** What was answered for good. */
  readonly answers?: AnswerStore;
}

/** Decides, for every connection of a client, which identity is shown and which server is trusted. */
export class Authentication {
  readonly standing = new Standing();
  #source: IdentitySource | Identity[];
  #handler: ChallengeHandler | undefined;
  #reader: Instance;
  #kept: KeptAnswers;
  #hosts = new Map<string, HostAnswers>();
  /** Sessions of an earlier generation are not resumed. */
  #generation = 0;
  /** The stored identity that the sessions of a partition were made with: of ended ones too, which a handshake may just be resuming. */
  #sessionOwners = new Map<string, string>();

  constructor(options: {
    identities: IdentitySource | Identity[];
    handler: ChallengeHandler | undefined;
    /** Reads certificates. */
    reader: Instance;
  }) {
    this.#source = options.identities;
    this.#handler = options.handler;
    this.#reader = options.reader;
    const store = Array.isArray(options.identities) ? undefined : options.identities.answers;
    this.#kept = new KeptAnswers(store, der => describeCertificate(options.reader, der));
  }

  /** What one connection to a target may show. */
  async prepare(target: KeyTarget): Promise<ConnectionAuthentication> {
    const known = await this.#identitiesFor(target);
    const key = hostKey(target);
    const answers = this.#hosts.get(key) ?? new HostAnswers(target);
    this.#hosts.set(key, answers);
    this.#forgetWithdrawn(answers, known);
    return new ConnectionAuthentication(this, answers, known);
  }

  /** Answers to be asked for again, and their connections not to be used again. `matches` is told a host and port. */
  async forget(matches: (target: KeyTarget) => boolean): Promise<void> {
    this.endSessions();
    for (const answers of this.#hosts.values()) if (matches(answers.target)) answers.forget();
    await this.#kept.forget(matches);
  }

  /** The answers that hold, those for good first. */
  async remembered(): Promise<RememberedAnswer[]> {
    const { all } = await this.#identities();
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

  async #identities(): Promise<{ all: StoredIdentity[] }> {
    const given = Array.isArray(this.#source) ? this.#source : await this.#source.find();
    return { all: given.map(asStored) };
  }

  async #identitiesFor(target: KeyTarget): Promise<KnownIdentities> {
    const [{ all }, kept] = await Promise.all([this.#identities(), this.#kept.keys(target)]);
    return { all, allowed: all.filter(it => isAllowed(it, target, this.#givenDirectly)), kept };
  }

  get #givenDirectly(): boolean {
    return Array.isArray(this.#source);
  }

  /** An answer does not outlive the identity's place in the store, or its permission for the target. */
  #forgetWithdrawn({ choice }: HostAnswers, { all, allowed }: KnownIdentities): void {
    const { held } = choice;
    if (!held || 'absence' in held || held.wasAllowed === undefined) return;
    const left = held.wasAllowed ? allowed : all;
    if (left.some(it => it.id === held.identity.id)) return;
    choice.forget();
    this.endSessions();
  }

  /** No session that has been made so far is resumed any more. */
  endSessions(): void {
    this.#generation++;
  }

  /** Names the sessions that may be resumed: a session carries the identity and the trust it was made with. */
  partition({ hostname, port }: KeyTarget, { allowed, kept }: KnownIdentities): string {
    const identities = allowed.map(it => it.id).sort();
    const name = () => JSON.stringify([hostname, port, identities, kept, this.#generation]);
    const owner = this.#sessionOwners.get(name());
    if (owner !== undefined && !this.standing.holds(owner)) this.endSessions();
    return name();
  }

  /** The id of the stored identity that the sessions of a partition speak for. */
  sessionOwner(partition: string): string | undefined {
    return this.#sessionOwners.get(partition);
  }

  setSessionOwner(partition: string, id: string): void {
    this.#sessionOwners.set(partition, id);
  }

  async choose(
    answers: HostAnswers,
    request: CertificateRequest,
    { known, waiting }: { known: KnownIdentities; waiting: AbortSignal },
  ): Promise<Choice> {
    const { target } = answers;
    const candidates = sortIdentities(known.all, {
      target,
      request,
      givenDirectly: this.#givenDirectly,
      reader: this.#reader,
    });
    const handler = this.#handler;
    if (!handler) return defaultChoice(target, known, candidates);
    return answers.choice.get(async signal => {
      const kept = await this.#kept.choice(target, known, candidates);
      if (kept) return { value: kept, holds: false };
      signal.throwIfAborted();
      const answer = await handler({
        method: 'client-certificate',
        host: target.hostname,
        port: target.port,
        acceptableIssuers: request.acceptableIssuers.map(name => describeName(this.#reader, name)),
        acceptableIssuersDer: request.acceptableIssuers,
        signatureSchemes: request.schemes.map(schemeName),
        candidates: candidates.fit,
        others: candidates.unfit,
        signal,
      });
      const disposition = checkDisposition(answer);
      if (disposition.disposition === 'default')
        return { value: defaultChoice(target, known, candidates), holds: false };
      return this.#handlerChoice(disposition, answers);
    }, waiting);
  }

  chainToSend(identity: StoredIdentity, request: CertificateRequest): Promise<Certificate[]> {
    return chainToSend(identity, request, this.#reader);
  }

  async #handlerChoice(disposition: Disposition, answers: HostAnswers): Promise<Given<Choice>> {
    const { target } = answers;
    if (disposition.disposition === 'cancel') throw cancelled(target);
    if (disposition.disposition !== 'use-credential')
      return { value: { absence: 'the challenge handler rejected the request' }, holds: true };
    const credential = identityOf(disposition.credential);
    const persistence = persistenceOf(credential);
    const { intermediates = [] } = credential;
    const { epoch } = answers;
    const wasAllowed = await this.#wasAllowed(credential, target);
    const value: Choice = {
      identity: asStored(credential.identity),
      intermediates,
      ...(wasAllowed !== undefined && { wasAllowed }),
    };
    if (persistence === 'none') return { value: { ...value, once: true }, holds: false };
    if (answers.epoch !== epoch) return { value, holds: false };
    // What is kept for good is read again each time: another tab may forget it.
    const kept =
      persistence === 'permanent' &&
      wasAllowed !== undefined &&
      (await this.#kept.keepChoice(target, { identityId: value.identity.id, wasAllowed, intermediates }));
    return { value, holds: !kept };
  }

  /** The handler may just have put the identity into the store, so what `prepare` found there is too old. */
  async #wasAllowed({ identity }: IdentityCredential, target: KeyTarget): Promise<boolean | undefined> {
    if (Array.isArray(this.#source)) return undefined;
    const { id } = asStored(identity);
    const stored = (await this.#source.find()).find(it => it.id === id);
    return stored && isAllowed(stored, target, false);
  }

  async evaluate(
    answers: HostAnswers,
    { chain: ders, error }: ServerTrustQuestion,
    waiting: AbortSignal,
  ): Promise<Verdict> {
    const handler = this.#handler;
    if (!handler) return { trust: 'as-verified' };
    const { target } = answers;
    const chain = describeChain(this.#reader, ders);
    const seen = { fingerprint: chain[0]?.fingerprint ?? '', code: error?.code };
    return answers.verdict(seen.fingerprint, seen.code).get(async signal => {
      if (await this.#kept.trusts(target, seen)) return { value: { trust: 'trust' }, holds: false };
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
      return { value: { trust: 'trust' }, holds: !kept };
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

function asStored(identity: Identity): StoredIdentity {
  if ('controls' in identity) return identity as StoredIdentity;
  return {
    ...identity,
    id: identity.certificate.fingerprint,
    controls: {},
    createdAt: new Date(),
    locked: false,
  };
}
