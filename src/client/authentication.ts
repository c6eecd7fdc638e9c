import type { Instance } from '../engine/instance.js';
import { MtlsError } from '../errors.js';
import { describeCertificate, describeName } from '../identity/certificate.js';
import { hostsAllow } from '../identity/hosts.js';
import { type Credential, credentialOf } from '../identity/signing.js';
import type { Identity, StoredIdentity } from '../identity/types.js';
import type { CertificateRequest, ClientCredential, ServerTrustQuestion } from '../tls/types.js';
import type { ChallengeHandler, Disposition, IdentityCredential } from './challenge.js';

/** Where identities come from: a store, or a list whose members are allowed everywhere. */
export interface IdentitySource {
  find(): Promise<StoredIdentity[]>;
  /** Told when an identity is shown to a server. */
  markUsed(id: string): Promise<void>;
}

/** A TCP port of a host. */
export interface Target {
  hostname: string;
  port: number;
}

interface KnownIdentities {
  total: number;
  allowed: StoredIdentity[];
}

type Choice = { credential: Credential; id?: string } | { absence: string };

/** A stored identity that the handler chose, and whether its `hosts` allowed it there. */
interface Chosen {
  id: string;
  wasAllowed: boolean;
}

/** Decides, for every connection of a client, which identity is shown and which server is trusted. */
export class Authentication {
  #source: IdentitySource | Identity[];
  #handler: ChallengeHandler | undefined;
  #reader: Instance;
  /** Answers of the handler that hold, by target. */
  #choices = new Map<string, Promise<Choice>>();
  #verdicts = new Map<string, Promise<'as-verified' | 'trust'>>();
  #chosen = new Map<string, Chosen>();
  /** Sessions of an earlier generation are not resumed. */
  #generation = 0;

  constructor(options: {
    identities: IdentitySource | Identity[];
    handler: ChallengeHandler | undefined;
    /** Reads certificates. */
    reader: Instance;
  }) {
    this.#source = options.identities;
    this.#handler = options.handler;
    this.#reader = options.reader;
  }

  /** What one connection to a target may show. */
  async prepare(target: Target): Promise<ConnectionAuthentication> {
    const givenDirectly = Array.isArray(this.#source);
    const identities = Array.isArray(this.#source) ? this.#source : await this.#source.find();
    const allowed = identities.filter(it => isAllowed(it, target, givenDirectly)).map(asStored);
    this.#forgetWithdrawn(keyOf(target), identities.map(asStored), allowed);
    return new ConnectionAuthentication(this, target, { total: identities.length, allowed });
  }

  /** An answer does not outlive the identity's place in the store, or its permission for the target. */
  #forgetWithdrawn(key: string, identities: StoredIdentity[], allowed: StoredIdentity[]): void {
    const chosen = this.#chosen.get(key);
    if (!chosen) return;
    const left = chosen.wasAllowed ? allowed : identities;
    if (left.some(it => it.id === chosen.id)) return;
    this.#chosen.delete(key);
    this.#choices.delete(key);
    this.#generation++;
  }

  /** Names the sessions that may be resumed: a session carries the identity and the trust it was made with. */
  partition({ hostname, port }: Target, allowed: readonly StoredIdentity[]): string {
    const identities = allowed.map(it => it.id).sort();
    return JSON.stringify([hostname, port, identities, this.#generation]);
  }

  async choose(target: Target, request: CertificateRequest, known: KnownIdentities): Promise<Choice> {
    const candidates = known.allowed.filter(it => fits(it, request));
    const byDefault = () => defaultChoice(target, known, candidates);
    const handler = this.#handler;
    if (!handler) return byDefault();
    const choice = await remember(this.#choices, keyOf(target), async forget => {
      const disposition = await handler({
        method: 'client-certificate',
        host: target.hostname,
        port: target.port,
        acceptableIssuers: request.acceptableIssuers.map(name => describeName(this.#reader, name)),
        candidates,
      });
      if (disposition.disposition === 'default') {
        forget();
        return byDefault();
      }
      const chosen = this.#handlerChoice(disposition, { target, forget });
      await this.#note(target, chosen);
      return chosen;
    });
    if ('absence' in choice || signsFor(choice.credential, request)) return choice;
    return { absence: 'the chosen identity signs in no way that the server accepts' };
  }

  #handlerChoice(disposition: Disposition, context: { target: Target; forget: () => void }): Choice {
    if (disposition.disposition === 'cancel') {
      context.forget();
      throw cancelled(context.target);
    }
    if (disposition.disposition !== 'use-credential')
      return { absence: 'the challenge handler rejected the request' };
    const chosen = disposition.credential;
    if (!('identity' in chosen))
      throw new TypeError('a client-certificate challenge is answered with an identity');
    if (chosen.persistence === 'none') {
      this.#generation++;
      context.forget();
    }
    return { credential: chosenCredential(chosen), ...idOf(chosen.identity) };
  }

  /** The handler may just have put the identity into the store, so what `prepare` found there is too old. */
  async #note(target: Target, choice: Choice): Promise<void> {
    if ('absence' in choice || choice.id === undefined || Array.isArray(this.#source)) return;
    const { id } = choice;
    const stored = (await this.#source.find()).find(it => it.id === id);
    if (stored) this.#chosen.set(keyOf(target), { id, wasAllowed: isAllowed(stored, target, false) });
  }

  async evaluate(target: Target, question: ServerTrustQuestion): Promise<'as-verified' | 'trust'> {
    const handler = this.#handler;
    if (!handler) return 'as-verified';
    const chain = question.chain.map(der => describeCertificate(this.#reader, der));
    const key = JSON.stringify([keyOf(target), chain[0]?.fingerprint, question.error?.code]);
    return remember(this.#verdicts, key, async forget => {
      const { hostname: host, port } = target;
      const { error } = question;
      const disposition = await handler({
        method: 'server-trust',
        host,
        port,
        chain,
        ...(error && { error }),
      });
      if (disposition.disposition === 'use-credential') return trustOf(disposition.credential);
      forget();
      if (disposition.disposition === 'default') return 'as-verified';
      if (disposition.disposition === 'cancel') throw cancelled(target);
      throw new MtlsError('ERR_TLS_CERT_UNTRUSTED', `The challenge handler does not trust ${host}:${port}.`, {
        cause: error,
      });
    });
  }

  used(id: string | undefined): void {
    if (id === undefined || Array.isArray(this.#source)) return;
    // A note for people: that it could not be made does not concern the connection.
    this.#source.markUsed(id).catch(() => {});
  }
}

/** The authentication of one connection, in the shape that `TlsConnection.connect` takes. */
export class ConnectionAuthentication {
  #owner: Authentication;
  #target: Target;
  #known: KnownIdentities;
  #absence: string | undefined;

  constructor(owner: Authentication, target: Target, known: KnownIdentities) {
    this.#owner = owner;
    this.#target = target;
    this.#known = known;
  }

  /** As it is at the moment: to be asked for when the connection begins, because answers to others change it. */
  get partition(): string {
    return this.#owner.partition(this.#target, this.#known.allowed);
  }

  readonly authenticate = async (request: CertificateRequest): Promise<ClientCredential | undefined> => {
    const choice = await this.#owner.choose(this.#target, request, this.#known);
    if ('absence' in choice) {
      this.#absence = choice.absence;
      return undefined;
    }
    this.#owner.used(choice.id);
    return choice.credential;
  };

  readonly evaluateServer = (question: ServerTrustQuestion): Promise<'as-verified' | 'trust'> =>
    this.#owner.evaluate(this.#target, question);

  readonly absence = (): string | undefined => this.#absence;
}

/** One answer for all that ask while it is being given or holds; a failed or forgotten one is asked for again. */
function remember<T>(
  answers: Map<string, Promise<T>>,
  key: string,
  ask: (forget: () => void) => Promise<T>,
): Promise<T> {
  const known = answers.get(key);
  if (known) return known;
  const forget = () => answers.delete(key);
  const answer = ask(forget).catch(error => {
    forget();
    throw error;
  });
  answers.set(key, answer);
  return answer;
}

function keyOf({ hostname, port }: Target): string {
  return `${hostname}:${port}`;
}

/** An identity is no verdict: a handler that answers every challenge with one must not make every server trusted. */
function trustOf(credential: IdentityCredential | { trust: true }): 'trust' {
  if ('trust' in credential && credential.trust === true) return 'trust';
  throw new TypeError('a server-trust challenge is answered with { trust: true }');
}

function cancelled({ hostname, port }: Target): MtlsError {
  return new MtlsError('ERR_TLS_CHALLENGE_CANCELLED', `The challenge of ${hostname}:${port} was cancelled.`);
}

function asStored(identity: Identity): StoredIdentity {
  if ('controls' in identity) return identity as StoredIdentity;
  return { ...identity, id: identity.certificate.fingerprint, controls: {}, createdAt: new Date() };
}

/** Without `hosts`, an identity in a store is shown nowhere, one that was given to this very client everywhere. */
function isAllowed(identity: Identity, { hostname, port }: Target, givenDirectly: boolean): boolean {
  const hosts = 'controls' in identity ? (identity as StoredIdentity).controls.hosts : undefined;
  return hosts === undefined || hosts.length === 0 ? givenDirectly : hostsAllow(hosts, hostname, port);
}

function fits({ certificate, ...identity }: StoredIdentity, request: CertificateRequest): boolean {
  const now = Date.now();
  const valid = certificate.notBefore.getTime() <= now && now <= certificate.notAfter.getTime();
  return valid && signsFor(credentialOf(identity), request);
}

function signsFor({ schemes }: Credential, request: CertificateRequest): boolean {
  return schemes.some(scheme => request.schemes.includes(scheme));
}

/** Without a handler: the one identity that fits. With several nobody has said which, so none is shown. */
function defaultChoice(target: Target, known: KnownIdentities, candidates: StoredIdentity[]): Choice {
  const [only] = candidates;
  if (only && candidates.length === 1) return { credential: credentialOf(trimmed(only)), id: only.id };
  if (candidates.length > 1) {
    return {
      absence: `${candidates.length} identities are allowed for ${keyOf(target)}, and no challenge handler chose one`,
    };
  }
  if (known.allowed.length > 0) {
    return {
      absence:
        'the identities allowed for this host are not valid now, or sign in no way that the server accepts',
    };
  }
  if (known.total > 0)
    return { absence: `none of the identities is allowed for ${keyOf(target)} (control hosts)` };
  return { absence: 'there is no identity' };
}

function chosenCredential({ identity, intermediates = [] }: IdentityCredential): Credential {
  const chain = [...trimmed(identity).chain, ...intermediates];
  return credentialOf({ keys: identity.keys, chain });
}

/** Without the root, which the server has already if it is to trust it (RFC 8446 section 4.4.2). */
function trimmed(identity: Identity): Identity {
  const [own, ...issuers] = identity.chain;
  return own ? { ...identity, chain: [own, ...issuers.filter(it => it.subject !== it.issuer)] } : identity;
}

function idOf(identity: Identity): { id?: string } {
  return 'id' in identity ? { id: (identity as StoredIdentity).id } : {};
}
