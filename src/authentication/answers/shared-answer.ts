import { SharedTask } from '../../util/promises.js';

/** An answer just given, and whether those who ask later get it too. */
export interface Given<T> {
  value: T;
  holds: boolean;
}

/** One answer for all that ask while it is being given or holds; a failed one is asked for again. */
export class SharedAnswer<T> {
  #question: SharedTask<T> | undefined;
  /** The answer that holds. */
  held: T | undefined;

  /**
   * `ask` is told when nobody waits any longer; it may answer all the same. A caller who comes later does not suffer from a
   * question that was given up, but asks again.
   *
   * @param waiting aborts when the caller no longer waits
   */
  async get(ask: (abandoned: AbortSignal) => Promise<Given<T>>, waiting: AbortSignal): Promise<T> {
    for (;;) {
      if (this.held !== undefined) return this.held;
      this.#question ??= new SharedTask(abandoned => this.#answer(ask, abandoned));
      const question = this.#question;
      const wasAbandoned = question.abandoned;
      try {
        return await question.join(waiting);
      } catch (error) {
        if (!wasAbandoned || waiting.aborted) throw error;
      }
    }
  }

  /** Forgets the answer that holds; an open question is unaffected. */
  forget(): void {
    this.held = undefined;
  }

  async #answer(ask: (abandoned: AbortSignal) => Promise<Given<T>>, abandoned: AbortSignal): Promise<T> {
    try {
      const { value, holds } = await ask(abandoned);
      if (holds) this.held = value;
      return value;
    } finally {
      this.#question = undefined;
    }
  }
}
