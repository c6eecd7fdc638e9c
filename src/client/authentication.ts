import type { Instance } from '../engine/instance.js';
import { MtlsError } from '../errors.js';
import { describeCertificate, describeName } from '../identity/certificate.js';
import { type KeyTarget, keyAccessOf } from '../identity/key-access.js';
import { type Credential, credentialOf } from '../identity/signing.js';
import type { Certificate, Identity, StoredIdentity } from '../identity/types.js';
import type { CertificateRequest, ClientCredential, ServerTrustQuestion } from '../tls/types.js';
import { type Candidates, isAllowed, sortIdentities } from './candidates.js';
import type { ChallengeHandler, Disposition, IdentityCredential } from './challenge.js';
import { Standing } from './standing.js';

/** Where identities come from: a store, or a list whose members are allowed everywhere. */
export interface IdentitySource {
  find(): Promise<StoredIdentity[]>;
}

interface KnownIdentities {
  all: StoredIdentity[];
  allowed: StoredIdentity[];
}

/** Whom to show, or why nobody. */
type Choice = { identity: StoredIdentity; chain: Certificate[] } | { absence: string };

/** A stored identity that the handler chose, and whether its `hosts` allowed it there. */
interface Chosen {
  id: string;
  wasAllowed: boolean;
}

/** Decides, for every connection of a client, which identity is shown and which server is trusted. */
export class Authentication {
  readonly standing = new Standing();
  #source: IdentitySource | Identity[];
  #handler: ChallengeHandler | undefined;
  #reader: Instance;
  /** Answers of the handler that hold, by target. */
  #choices = new Map<string, Promise<Choice>>();
  #verdicts = new Map<string, Promise<'as-verified' | 'trust'>>();
  #chosen = new Map<string, Chosen>();
  /** Sessions of an earlier generation are not resumed. */
  #generation = 0;
  /** The stored identity that the sessions of a partition were made with. */
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
  }

  /** What one connection to a target may show. */
  async prepare(target: KeyTarget): Promise<ConnectionAuthentication> {
    const given = Array.isArray(this.#source) ? this.#source : await this.#source.find();
    const all = given.map(asStored);
    const allowed = all.filter(it => isAllowed(it, target, this.#givenDirectly));
    this.#forgetWithdrawn(keyOf(target), all, allowed);
    return new ConnectionAuthentication(this, target, { all, allowed });
  }

  get #givenDirectly(): boolean {
    return Array.isArray(this.#source);
  }

  /** An answer does not outlive the identity's place in the store, or its permission for the target. */
  #forgetWithdrawn(key: string, all: StoredIdentity[], allowed: StoredIdentity[]): void {
    const chosen = this.#chosen.get(key);
    if (!chosen) return;
    const left = chosen.wasAllowed ? allowed : all;
    if (left.some(it => it.id === chosen.id)) return;
    this.#chosen.delete(key);
    this.#choices.delete(key);
    this.#generation++;
  }

  /** Names the sessions that may be resumed: a session carries the identity and the trust it was made with. */
  partition({ hostname, port }: KeyTarget, allowed: readonly StoredIdentity[]): string {
    const identities = allowed.map(it => it.id).sort();
    const name = () => JSON.stringify([hostname, port, identities, this.#generation]);
    const owner = this.#sessionOwners.get(name());
    if (owner !== undefined && !this.standing.holds(owner)) {
      this.#sessionOwners.delete(name());
      this.#generation++;
    }
    return name();
  }

  /** Whom the sessions of a partition speak for. */
  sessionOwner(partition: string): string | undefined {
    return this.#sessionOwners.get(partition);
  }

  setSessionOwner(partition: string, id: string): void {
    this.#sessionOwners.set(partition, id);
  }

  async choose(target: KeyTarget, request: CertificateRequest, known: KnownIdentities): Promise<Choice> {
    const candidates = sortIdentities(known.all, {
      target,
      request,
      givenDirectly: this.#givenDirectly,
      reader: this.#reader,
    });
    const byDefault = () => defaultChoice(target, known, candidates);
    const handler = this.#handler;
    if (!handler) return byDefault();
    return remember(this.#choices, keyOf(target), async forget => {
      const disposition = await handler({
        method: 'client-certificate',
        host: target.hostname,
        port: target.port,
        acceptableIssuers: request.acceptableIssuers.map(name => describeName(this.#reader, name)),
        candidates: candidates.fit,
        others: candidates.unfit,
      });
      if (disposition.disposition === 'default') {
        forget();
        return byDefault();
      }
      const chosen = this.#handlerChoice(disposition, { target, forget });
      await this.#noteChosen(target, chosen);
      return chosen;
    });
  }

  #handlerChoice(disposition: Disposition, context: { target: KeyTarget; forget: () => void }): Choice {
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
    return choiceOf(asStored(chosen.identity), chosen.intermediates);
  }

  /** The handler may just have put the identity into the store, so what `prepare` found there is too old. */
  async #noteChosen(target: KeyTarget, choice: Choice): Promise<void> {
    if ('absence' in choice || Array.isArray(this.#source)) return;
    const { id } = choice.identity;
    const stored = (await this.#source.find()).find(it => it.id === id);
    if (stored) this.#chosen.set(keyOf(target), { id, wasAllowed: isAllowed(stored, target, false) });
  }

  async evaluate(target: KeyTarget, question: ServerTrustQuestion): Promise<'as-verified' | 'trust'> {
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
}

/** The authentication of one connection, in the shape that `TlsConnection.connect` takes. */
export class ConnectionAuthentication {
  #owner: Authentication;
  #target: KeyTarget;
  #known: KnownIdentities;
  #absence: string | undefined;
  /** The stored identity that this very connection has shown. */
  #shown: string | undefined;

  constructor(owner: Authentication, target: KeyTarget, known: KnownIdentities) {
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
    const credential = await usableCredential(choice, this.#target);
    if (!credential.schemes.some(scheme => request.schemes.includes(scheme))) {
      this.#absence = 'the chosen identity signs in no way that the server accepts';
      return undefined;
    }
    if (keyAccessOf(choice.identity)) {
      this.#shown = choice.identity.id;
      this.#owner.standing.enter(choice.identity, this.#target);
    }
    return credential;
  };

  /**
   * Whether the connection, once made, may be used for something more: asked before each request. Stored identities have
   * controls, and are deleted and locked.
   */
  admission({ partition, resumed }: { partition: string; resumed: boolean }): () => boolean {
    const id = resumed ? this.#owner.sessionOwner(partition) : this.#shown;
    if (this.#shown !== undefined) this.#owner.setSessionOwner(partition, this.#shown);
    return id === undefined ? () => true : () => this.#owner.standing.admits(id, this.#target);
  }

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

function keyOf({ hostname, port }: KeyTarget): string {
  return `${hostname}:${port}`;
}

/** An identity is no verdict: a handler that answers every challenge with one must not make every server trusted. */
function trustOf(credential: IdentityCredential | { trust: true }): 'trust' {
  if ('trust' in credential && credential.trust === true) return 'trust';
  throw new TypeError('a server-trust challenge is answered with { trust: true }');
}

function cancelled({ hostname, port }: KeyTarget): MtlsError {
  return new MtlsError('ERR_TLS_CHALLENGE_CANCELLED', `The challenge of ${hostname}:${port} was cancelled.`);
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

/**
 * Without a handler: the one identity that fits. With several nobody has said which, so none is shown. One that only the server's list
 * of authorities speaks against is shown if it is the only one: the list may be incomplete, and the server has the last word.
 */
function defaultChoice(target: KeyTarget, known: KnownIdentities, { fit, unfit }: Candidates): Choice {
  const [only] = fit;
  if (only && fit.length === 1) return choiceOf(only);
  if (only) {
    return {
      absence: `${fit.length} identities are allowed for ${keyOf(target)}, and no challenge handler chose one`,
    };
  }
  // It would be the one, were it not for a control: the page can do something about that.
  const held = unfit.find(({ code }) => code === 'ERR_IDENTITY_LOCKED' || code === 'ERR_IDENTITY_EXPIRED');
  if (held)
    throw new MtlsError(held.code, `The identity for ${keyOf(target)} cannot be used: ${held.message}.`);
  const [first, ...more] = unfit.filter(({ identity }) => known.allowed.includes(identity));
  if (first?.code === 'ERR_IDENTITY_NOT_ACCEPTED' && first.selectable && more.length === 0)
    return choiceOf(first.identity);
  if (first) return { absence: `the identity allowed for this host does not fit: ${first.message}` };
  if (known.all.length > 0)
    return { absence: `none of the identities is allowed for ${keyOf(target)} (control hosts)` };
  return { absence: 'there is no identity' };
}

/** Without the root, which the server has already if it is to trust it (RFC 8446 section 4.4.2). */
function choiceOf(identity: StoredIdentity, intermediates: Certificate[] = []): Choice {
  const [own, ...issuers] = identity.chain;
  const sent = own ? [own, ...issuers.filter(it => it.subject !== it.issuer)] : [];
  return { identity, chain: [...sent, ...intermediates] };
}

/** A stored identity's keys come from its store each time, which looks at the controls. */
async function usableCredential(
  { identity, chain }: Exclude<Choice, { absence: string }>,
  target: KeyTarget,
): Promise<Credential> {
  const access = keyAccessOf(identity);
  if (!access) return credentialOf({ keys: identity.keys, chain });
  return {
    ...credentialOf({ keys: await access.use(target), chain }),
    async sign(scheme, message) {
      return credentialOf({ keys: await access.use(target), chain }).sign(scheme, message);
    },
  };
}
