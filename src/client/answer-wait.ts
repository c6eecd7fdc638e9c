import { MtlsError } from '../errors.js';
import { cutHandshakeError } from '../tls/errors/failure.js';
import type { HandshakeTimer } from './handshake-timer.js';
import type { ReadAheadStream } from './read-ahead-stream.js';

/** A server that hangs up sooner has another reason than the wait. */
const LEAST_WAIT_MS = 500;

/** The server has given up during a wait that was not its own. */
export class HungUp extends Error {
  constructor() {
    super('The server hung up while an answer was awaited.');
  }
}

/** Waits, in the middle of a handshake, for answers that are not the server's: its clock stands still, and its end is noticed. */
export class AnswerWait {
  #timer: HandshakeTimer;
  #stream: ReadAheadStream;

  constructor(timer: HandshakeTimer, stream: ReadAheadStream) {
    this.#timer = timer;
    this.#stream = stream;
  }

  /**
   * @throws HungUp when the stream has ended before there was an answer. After a short wait, with nothing received before the
   * end: the error of the handshake, because the answer has no part in it. Otherwise: what `answer` throws.
   */
  async for<T>(answer: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    this.#timer.pause();
    const stop = this.#stream.readAhead();
    try {
      const given = await withReason(answer);
      const { ended, aheadBytes } = this.#stream;
      if (!ended) return given;
      if (performance.now() - startMs >= LEAST_WAIT_MS) throw new HungUp();
      if (aheadBytes === 0) throw cutHandshakeError(ended.error);
      return given;
    } finally {
      stop();
      this.#timer.begin();
    }
  }
}

/** A thrown `undefined` would be lost on its way to the caller. */
async function withReason<T>(answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    const message =
      'A callback (challenge handler, trust.evaluate, user verification) failed and gave no reason.';
    throw error ?? new MtlsError('ERR_TLS_CHALLENGE_CANCELLED', message);
  }
}
