import type { EngineOutput, EngineTarget } from './ciphers/record-cipher.js';

/** Where plaintext goes. */
export interface PlaintextSink {
  /** Asked for each piece of ciphertext: the HTTP connection that may get its plaintext in the engine. */
  target(): EngineTarget | undefined;
  /** Gets the plaintext that has not gone there. */
  data(plaintext: readonly Uint8Array[]): void;
  /** Whether what it got last has been copied, so that the memory may be freed. Default: no. */
  hasCopied?(): boolean;
}

/** A TLS connection as HTTP reads and writes it, instead of its streams. */
export interface PlaintextChannel {
  /**
   * Waits for plaintext, and gives it to the sink. Resolves with whether more can come: false after close_notify. Rejects with what the
   * connection failed with, behind what came before.
   */
  receive(sink: PlaintextSink): Promise<boolean>;
  /** Whether there is room: `untilWritable` need not be waited for. */
  hasRoom(): boolean;
  /** Resolves when there is room. */
  untilWritable(): Promise<void>;
  /** Calls may overlap: what is sent leaves in their order. */
  send(output: EngineOutput): Promise<void>;
  /** Ends this side. */
  close(): Promise<void>;
  /** Gives the connection up. */
  abort(reason: unknown): void;
}
