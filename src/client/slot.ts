/** An answer just given, and whether those who ask later get it too. */
export interface Given<T> {
  value: T;
  holds: boolean;
}

interface Question<T> {
  answer: Promise<T>;
  waiters: Waiters;
}

/** One answer for all that ask while it is being given or holds; a failed one is asked for again. */
export class Slot<T> {
  #question: Question<T> | undefined;
  /** What holds. */
  held: T | undefined;

  /**
   * `ask` is told when nobody waits any more; it may answer all the same. Who comes later does not suffer from a question that
   * was given up, but asks again.
   *
   * @param waiting aborts when the caller does not wait any more
   */
  async get(ask: (abandoned: AbortSignal) => Promise<Given<T>>, waiting: AbortSignal): Promise<T> {
    for (;;) {
      if (this.held !== undefined) return this.held;
      const question = this.#question ?? this.#put(ask);
      const wasAbandoned = question.waiters.abandoned.aborted;
      question.waiters.add(waiting);
      try {
        return await question.answer;
      } catch (error) {
        if (!wasAbandoned || waiting.aborted) throw error;
      }
    }
  }

  /** What holds, that is. */
  forget(): void {
    this.held = undefined;
  }

  #put(ask: (abandoned: AbortSignal) => Promise<Given<T>>): Question<T> {
    const waiters = new Waiters();
    const question = { answer: this.#answerOf(ask, waiters), waiters };
    this.#question = question;
    return question;
  }

  async #answerOf(ask: (abandoned: AbortSignal) => Promise<Given<T>>, waiters: Waiters): Promise<T> {
    try {
      const { value, holds } = await ask(waiters.abandoned);
      if (holds) this.held = value;
      return value;
    } finally {
      this.#question = undefined;
      waiters.end();
    }
  }
}

/** Those who wait for one answer. */
class Waiters {
  #abandoned = new AbortController();
  #leave = new Map<AbortSignal, () => void>();

  /** Aborts when the last one has gone. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal;
  }

  add(waiting: AbortSignal): void {
    if (this.#leave.has(waiting)) return;
    const leave = () => {
      this.#leave.delete(waiting);
      if (this.#leave.size === 0)
        this.#abandoned.abort(new DOMException('Nobody waits for the answer any more.', 'AbortError'));
    };
    this.#leave.set(waiting, leave);
    if (waiting.aborted) leave();
    else waiting.addEventListener('abort', leave, { once: true });
  }

  /** The answer is there. */
  end(): void {
    for (const [waiting, leave] of this.#leave) waiting.removeEventListener('abort', leave);
    this.#leave.clear();
  }
}
