import { MtlsError } from '../errors.js';
import { equalBytes } from '../util/bytes.js';
import type { HostQuestion } from './abi.js';
import type { CallContext, CallResult, Instance } from './instance.js';
import type { Environment } from './wasi.js';

export interface AskedQuestion {
  kind: HostQuestion;
  question: Uint8Array<ArrayBuffer>;
}

/** A call that ran without all its answers: what it asked, and what it made of having none. */
export interface Attempt {
  questions: readonly AskedQuestion[];
  result: CallResult;
}

/**
 * What becomes of an attempt: it is rolled back, and made again when the question is answered (`answer`) or never
 * (`defer`); or it stands as it is (`commit`).
 */
export type Decision = { answer: AskedQuestion } | 'defer' | 'commit';

export interface Respondent {
  decide(attempt: Attempt): Decision;
  /** In its own time. A rejection ends the transaction with that reason. */
  answer(asked: AskedQuestion): Promise<Uint8Array>;
  /** A question that is likely to be asked, with its answer. */
  readonly expected?: GivenAnswer | undefined;
}

export interface GivenAnswer extends AskedQuestion {
  answer: Uint8Array;
}

/** More questions than any handshake asks. */
const MAX_ATTEMPTS = 8;

/**
 * More than a handshake call allocates besides its input, so that a call that is rolled back does not grow the memory:
 * the allocator would forget what it got, and ask for as much again.
 */
const HEADROOM_BYTES = 256 * 1024;

/** How often a call may hold its input: as the host's copy, and as a buffer that grows by doubling. */
const INPUT_COPIES = 4;

/**
 * Runs calls that may have to wait for answers (a signature by WebCrypto, a person's choice), although a call into
 * WebAssembly cannot wait: memory is copied before the call; when an answer is missing the copy is put back in the
 * same turn, and the call is made again once the answer is there, with the randomness and the time of its first run.
 * So a call either commits or never happened, and other calls may run in between.
 */
export class Transactions {
  #instance: Instance;
  #copy = new Uint8Array(0);

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /**
   * The result of the call, or undefined when it was deferred: then it never happened. Answers of earlier calls hold for the very
   * same questions; new ones are added.
   */
  async run(
    name: string,
    args: readonly (number | Uint8Array)[],
    { respondent, answers }: { respondent: Respondent; answers: GivenAnswer[] },
  ): Promise<CallResult | undefined> {
    const environment = new ReplayedEnvironment(this.#instance.environment);
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        environment.rewind();
        const { questions, result, decision } = this.#attempt(name, args, {
          environment,
          answers,
          respondent,
        });
        if (decision === 'commit') return result;
        if (decision === 'defer') return undefined;
        const given = await giveAnswer(decision.answer, respondent);
        answers.push(given);
        // The call went on by this very answer: so it need not be made again to ask what it asked next.
        const next = isExpected(given, respondent) && questions.find(it => it !== decision.answer);
        if (next) answers.push(await giveAnswer(next, respondent));
      }
    } finally {
      environment.wipe();
    }
    throw keepsAsking();
  }

  #attempt(
    name: string,
    args: readonly (number | Uint8Array)[],
    given: { environment: Environment; answers: readonly GivenAnswer[]; respondent: Respondent },
  ): Attempt & { decision: Decision } {
    const questions: AskedQuestion[] = [];
    const context: CallContext = {
      environment: given.environment,
      ask: answering(given.answers, questions, given.respondent.expected),
    };
    this.#reserve(args);
    const copy = this.#takeCopy();
    try {
      const result = this.#instance.call(name, args, context);
      const decision = questions.length === 0 ? 'commit' : given.respondent.decide({ questions, result });
      if (decision !== 'commit') this.#putBack(copy);
      return { questions, result, decision };
    } finally {
      copy.fill(0);
    }
  }

  #reserve(args: readonly (number | Uint8Array)[]): void {
    const inputBytes = args.reduce<number>((sum, it) => sum + (typeof it === 'number' ? 0 : it.length), 0);
    this.#instance.call('mtls_reserve', [HEADROOM_BYTES + INPUT_COPIES * inputBytes]);
  }

  #takeCopy(): Uint8Array<ArrayBuffer> {
    const memory = this.#instance.memory();
    if (this.#copy.length < memory.length) this.#copy = new Uint8Array(memory.length);
    const copy = this.#copy.subarray(0, memory.length);
    copy.set(memory);
    return copy;
  }

  #putBack(copy: Uint8Array<ArrayBuffer>): void {
    const memory = this.#instance.memory();
    memory.set(copy);
    // Memory cannot shrink: what the call added to it is at least emptied.
    memory.fill(0, copy.length);
  }
}

/** What a call asks is answered by the answers that there are, or noted as a question: an expected one as well. */
export function answering(
  answers: readonly GivenAnswer[],
  questions: AskedQuestion[],
  expected?: GivenAnswer,
): (kind: HostQuestion, question: Uint8Array) => Uint8Array | undefined {
  return (kind, question) => {
    const isAsked = (it: AskedQuestion) => it.kind === kind && equalBytes(it.question, question);
    const known = answers.find(isAsked);
    if (known) return known.answer;
    questions.push({ kind, question: question.slice() });
    return expected && isAsked(expected) ? expected.answer : undefined;
  };
}

async function giveAnswer(asked: AskedQuestion, respondent: Respondent): Promise<GivenAnswer> {
  return { ...asked, answer: await respondent.answer(asked) };
}

function isExpected({ kind, question, answer }: GivenAnswer, { expected }: Respondent): boolean {
  if (expected?.kind !== kind) return false;
  return equalBytes(expected.question, question) && equalBytes(expected.answer, answer);
}

/** Records randomness and time on the first run of a call, and gives the same again on the next. */
class ReplayedEnvironment implements Environment {
  #source: Environment;
  #random: Uint8Array<ArrayBuffer>[] = [];
  #times: number[] = [];
  #nextRandom = 0;
  #nextTime = 0;

  constructor(source: Environment) {
    this.#source = source;
  }

  rewind(): void {
    this.#nextRandom = 0;
    this.#nextTime = 0;
  }

  fillRandom(bytes: Uint8Array<ArrayBuffer>): void {
    const recorded = this.#random[this.#nextRandom++];
    if (recorded?.length === bytes.length) {
      bytes.set(recorded);
      return;
    }
    this.#source.fillRandom(bytes);
    this.#random[this.#nextRandom - 1] = bytes.slice();
  }

  now(): number {
    const at = this.#nextTime++;
    this.#times[at] ??= this.#source.now();
    return this.#times[at];
  }

  wipe(): void {
    for (const bytes of this.#random) bytes.fill(0);
  }
}

/** The error of an engine that asks more than any handshake needs. */
export function keepsAsking(): MtlsError {
  return new MtlsError('ERR_ENGINE_FAILED', 'The engine keeps asking instead of going on.');
}
