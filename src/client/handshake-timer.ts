import { MtlsError } from '../errors.js';

/** Bounds each time in which it is the other side's turn. */
export class HandshakeTimer {
  #timeoutMs: number;
  #end: (reason: MtlsError) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** `end` is called with ERR_TLS_TIMEOUT. The first turn starts with `begin`. */
  constructor(timeoutMs: number, end: (reason: MtlsError) => void) {
    this.#timeoutMs = timeoutMs;
    this.#end = end;
  }

  /** The other side's turn, from its start. */
  begin(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#end(timeoutError(this.#timeoutMs)), this.#timeoutMs);
  }

  /** Until `begin`, the other side is waited for by nobody. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

function timeoutError(timeoutMs: number): MtlsError {
  return new MtlsError(
    'ERR_TLS_TIMEOUT',
    `The server took more than ${timeoutMs} ms over its part of the handshake.`,
  );
}
