import { concatenated } from '../util/bytes.js';
import { Turns } from '../util/turns.js';
import { Emission } from './abi.js';
import type { CallResult, Emitted, Instance } from './instance.js';
import {
  type AskedQuestion,
  answering,
  type Decision,
  type GivenAnswer,
  keepsAsking,
  type Respondent,
  type Transactions,
} from './transaction.js';
import { realEnvironment } from './wasi.js';

/** What one call gets to hear, so that none takes long. */
const SLICE_BYTES = 16 * 1024;
/** For each transaction the memory is copied. A peer that says little at a time is first heard in a rehearsal, after so many. */
const MAX_PROMPT_TRANSACTIONS = 32;
/** More than there are questions in any handshake. */
const MAX_REHEARSALS = 8;

/** Calls by which one object of the engine hears what its peer says, and in which it may ask questions. */
export interface ConversationParts {
  instance: Instance;
  transactions: Transactions;
  /** The export: object, pointer, length. */
  name: string;
  object: number;
  respondent: Respondent;
}

/**
 * What a peer says, as it comes in.
 *
 * A question may be one that is answered only when more has been heard (`defer`). The call that asks it is rolled back then, and so
 * would be each one that hears a little more: what was heard again and again would cost the square of its length. So the rest is
 * rehearsed, without an answer, in a copy of the memory that takes it piece by piece; when the time for the answer has come, the
 * copy is thrown away, and all that was heard is heard in earnest. Each byte is processed once for each question at most.
 */
export class Conversation {
  #parts: ConversationParts;
  /** What no call has taken yet. */
  #unheard: Uint8Array[] = [];
  /** What came of what was heard, and has not been given away. */
  #emitted: Emitted[] = [];
  #answers: GivenAnswer[] = [];
  #rehearsal: Rehearsal | undefined;
  #rehearsals = 0;
  #transactions = 0;
  #turns = new Turns();
  #isOver = false;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
  }

  /** What has not come to anything so far. */
  get unheard(): Uint8Array {
    const [piece, ...others] = this.#unheard;
    return piece && others.length === 0 ? piece : concatenated(this.#unheard);
  }

  /** What came of it before an answer was refused. */
  takeEmitted(): Emitted[] {
    return this.#emitted.splice(0);
  }

  /** What comes of the next piece: nothing, perhaps. An empty one begins. Rejects with what an answer was refused with. */
  async hear(piece: Uint8Array): Promise<CallResult> {
    if (piece.length === 0) return this.#begin(piece);
    this.#unheard.push(piece);
    const waits = this.#rehearsal
      ? await this.#rehearse(piece)
      : this.#transactions >= MAX_PROMPT_TRANSACTIONS && (await this.#rehearse(this.unheard));
    return waits ? { status: 0, emitted: [] } : this.#perform();
  }

  end(): void {
    this.#isOver = true;
    this.#endRehearsal();
  }

  /** As long as nothing has been heard there is nothing to ask: no transaction is needed, which would copy the memory. */
  #begin(nothing: Uint8Array): CallResult {
    const { instance, name, object } = this.#parts;
    const ask = () => {
      throw keepsAsking();
    };
    return instance.call(name, [object, nothing], { environment: instance.environment, ask });
  }

  async #perform(): Promise<CallResult> {
    const { transactions, name, object, respondent } = this.#parts;
    for (;;) {
      const unheard = this.unheard;
      const slice = unheard.subarray(0, SLICE_BYTES);
      this.#transactions++;
      const result = await transactions.run(name, [object, slice], { respondent, answers: this.#answers });
      if (!result) {
        if (await this.#rehearse(unheard)) return { status: 0, emitted: this.takeEmitted() };
        continue;
      }
      this.#unheard = [unheard.subarray(slice.length)];
      this.#emitted.push(...result.emitted);
      const isDone = slice.length === unheard.length || result.emitted.some(isFailure);
      if (isDone || this.#isOver) return { status: result.status, emitted: this.takeEmitted() };
      await this.#turns.next();
    }
  }

  /** Whether more has to be heard before anything comes of it. Otherwise the rehearsal is over, and what it asked is answered. */
  async #rehearse(heard: Uint8Array): Promise<boolean> {
    this.#rehearsal ??= await this.#beginRehearsal();
    for (let start = 0; start < heard.length && !this.#isOver; start += SLICE_BYTES) {
      const decision = this.#rehearsal.hear(heard.subarray(start, start + SLICE_BYTES), this.#answers);
      if (decision !== 'defer') {
        this.#endRehearsal();
        if (decision !== 'commit') await this.#answer(decision.answer);
        return false;
      }
      await this.#turns.next();
    }
    return true;
  }

  async #beginRehearsal(): Promise<Rehearsal> {
    if (++this.#rehearsals > MAX_REHEARSALS) throw keepsAsking();
    const rehearsal = new Rehearsal(await this.#parts.instance.clone(), this.#parts);
    if (this.#isOver) rehearsal.end();
    return rehearsal;
  }

  #endRehearsal(): void {
    this.#rehearsal?.end();
    this.#rehearsal = undefined;
  }

  async #answer(asked: AskedQuestion): Promise<void> {
    this.#answers.push({ ...asked, answer: await this.#parts.respondent.answer(asked) });
  }
}

/** A conversation without consequences. */
class Rehearsal {
  #instance: Instance;
  #parts: ConversationParts;
  #questions: AskedQuestion[] = [];

  constructor(instance: Instance, parts: ConversationParts) {
    this.#instance = instance;
    this.#parts = parts;
  }

  hear(slice: Uint8Array, answers: readonly GivenAnswer[]): Decision {
    const { name, object, respondent } = this.#parts;
    const ask = answering(answers, this.#questions);
    const result = this.#instance.call(name, [object, slice], { environment: realEnvironment, ask });
    const isSilent = this.#questions.length === 0 && result.emitted.length === 0;
    return isSilent ? 'defer' : respondent.decide({ questions: this.#questions, result });
  }

  /** The memory holds keys. */
  end(): void {
    this.#instance.memory().fill(0);
  }
}

function isFailure({ kind }: Emitted): boolean {
  return kind === Emission.failure;
}
