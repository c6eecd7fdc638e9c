import { MtlsError } from '../errors.js';
import { toHex } from '../identity/encoding.js';
import { type KeyTarget, keyAccessOf } from '../identity/key-access.js';
import { type Credential, credentialOf } from '../identity/signing.js';
import type { Certificate, StoredIdentity } from '../identity/types.js';
import type { CertificateRequest, ClientCredential, ServerTrustQuestion } from '../tls/types.js';
import type { Authentication } from './authentication.js';
import type { KnownIdentities } from './default-choice.js';
import type { Choice, HostAnswers, Verdict } from './host-answers.js';

/**
 * The authentication of one connection, in the shape that `TlsConnection.connect` takes. A connection that has to be made again,
 * because the server did not wait for an answer, is given the answer that was meant for it.
 */
export class ConnectionAuthentication {
  #owner: Authentication;
  #answers: HostAnswers;
  #known: KnownIdentities;
  #choice: Choice | undefined;
  #verdicts = new Map<string, Verdict>();
  #absence: string | undefined;
  /** Of the answers that it was made by. */
  #epoch: number;
  #answered = false;
  /** The stored identity that this very connection has shown. */
  #shown: string | undefined;

  constructor(owner: Authentication, answers: HostAnswers, known: KnownIdentities) {
    this.#owner = owner;
    this.#answers = answers;
    this.#known = known;
    this.#epoch = answers.epoch;
  }

  get #target(): KeyTarget {
    return this.#answers.target;
  }

  /** As it is at the moment: to be asked for when the connection begins, because answers to others change it. */
  get partition(): string {
    return this.#owner.partition(this.#target, this.#known);
  }

  /** @param waiting aborts when the connection is not wanted any more */
  async authenticate(
    request: CertificateRequest,
    waiting: AbortSignal,
  ): Promise<ClientCredential | undefined> {
    const known = this.#known;
    this.#choice ??= await this.#owner.choose(this.#answers, request, { known, waiting });
    const choice = this.#choice;
    this.#noteAnswer(choice);
    if ('absence' in choice) {
      this.#absence = choice.absence;
      return undefined;
    }
    const credential = await this.#credentialOf(choice, request);
    if (!credential.schemes.some(scheme => request.schemes.includes(scheme))) {
      this.#absence = 'the chosen identity signs in no way that the server accepts';
      return undefined;
    }
    if (keyAccessOf(choice.identity)) {
      this.#shown = choice.identity.id;
      this.#owner.standing.enter(choice.identity, this.#target);
    }
    return credential;
  }

  /** An answer that names an identity which no store has is not given to anybody else. */
  async #credentialOf(choice: Shown, request: CertificateRequest): Promise<Credential> {
    const { identity, intermediates = [] } = choice;
    const chain = [...(await this.#owner.chainToSend(identity, request)), ...intermediates];
    try {
      return await usableCredential({ identity, chain }, this.#target);
    } catch (error) {
      const isGone = error instanceof MtlsError && error.code === 'ERR_IDENTITY_NOT_FOUND';
      if (isGone && this.#answers.choice.held === choice) this.#answers.choice.forget();
      throw error;
    }
  }

  /** @param waiting aborts when the connection is not wanted any more */
  async evaluateServer(question: ServerTrustQuestion, waiting: AbortSignal): Promise<Verdict['trust']> {
    const key = verdictKey(question);
    const verdict = this.#verdicts.get(key) ?? (await this.#owner.evaluate(this.#answers, question, waiting));
    this.#verdicts.set(key, verdict);
    this.#noteAnswer(verdict);
    return verdict.trust;
  }

  /**
   * Whether the connection, once made, may be used for something more: asked before each request. Stored identities have
   * controls, and are deleted and locked; answers are forgotten.
   */
  admission({ partition, resumed }: { partition: string; resumed: boolean }): () => boolean {
    const id = resumed ? this.#owner.sessionOwner(partition) : this.#shown;
    if (this.#shown !== undefined) this.#owner.setSessionOwner(partition, this.#shown);
    return () =>
      this.#epoch === this.#answers.epoch &&
      (id === undefined || this.#owner.standing.admits(id, this.#target));
  }

  readonly absence = (): string | undefined => this.#absence;

  #noteAnswer(answer: Choice | Verdict): void {
    // The question may have been open while the answers of before were forgotten.
    if (!this.#answered) this.#epoch = this.#answers.epoch;
    this.#answered = true;
    // What was answered for this connection alone, or has been forgotten since, must not be resumed by another one.
    const once = 'once' in answer && answer.once;
    if (once || this.#epoch !== this.#answers.epoch) this.#owner.endSessions();
  }
}

function verdictKey({ chain, error }: ServerTrustQuestion): string {
  return JSON.stringify([toHex(chain[0] ?? new Uint8Array(0)), error?.code]);
}

type Shown = Exclude<Choice, { absence: string }>;

/** A stored identity's keys come from its store each time, which looks at the controls. */
async function usableCredential(
  { identity, chain }: { identity: StoredIdentity; chain: Certificate[] },
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
