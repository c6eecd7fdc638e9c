import { INITIAL_CREDIT_BYTES } from '../../../src/tunnel/wire/limits.js';
import { creditStep } from '../../../src/tunnel/wire/receive-window.js';

/** What a page may still send on all of its streams together. */
export class SocketCredit {
  readonly #windowBytes: number;
  #openBytes = INITIAL_CREDIT_BYTES;
  /** Received, and not granted again. */
  #receivedBytes = 0;
  #isOpen = false;

  /** `windowBytes`: from WELCOME on. */
  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes;
  }

  /** The page has been told the whole window. */
  open(): void {
    this.#isOpen = true;
    this.#openBytes += this.#windowBytes - INITIAL_CREDIT_BYTES;
  }

  /** False: the page has sent more than it may. */
  receive(bytes: number): boolean {
    this.#openBytes -= bytes;
    this.#receivedBytes += bytes;
    return this.#openBytes >= 0;
  }

  /** What is to be given back now, whatever becomes of the data: so a stalled stream holds up no other. Zero: it waits for more. */
  takeGrant(): number {
    const bytes = this.#receivedBytes;
    if (!this.#isOpen || bytes < creditStep(this.#windowBytes)) return 0;
    this.#openBytes += bytes;
    this.#receivedBytes = 0;
    return bytes;
  }
}
