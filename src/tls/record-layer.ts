import type { Failure } from './failure.js';

/** What came of ciphertext: everything before a failure is good. */
export interface Received {
  plaintext: Uint8Array[];
  /** The server has sent close_notify: no plaintext follows. */
  closed: boolean;
  failure?: Failure;
}

/** Puts ciphertext on its way, without waiting for room. Called in the order of the records. */
export type Transmit = (ciphertext: Uint8Array) => void;

/** The records of a connection after its handshake (RFC 8446 section 5, RFC 5246 section 6.2). */
export interface RecordLayer {
  /** Takes ciphertext in any portions. Not to be called again before the last call has resolved. */
  receive(ciphertext: Uint8Array): Promise<Received>;
  /** Seals and transmits; resolves when that is done. */
  send(plaintext: Uint8Array): Promise<void>;
  /** Sends close_notify. */
  sendClose(): Promise<void>;
  /** Forgets the keys. */
  free(): void;
}
