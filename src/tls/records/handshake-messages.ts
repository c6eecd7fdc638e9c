import { Alert, RecordFault } from '../errors/record-fault.js';

export interface HandshakeMessage {
  type: number;
  body: Uint8Array;
}

export const HandshakeType = {
  helloRequest: 0,
  newSessionTicket: 4,
  certificateRequest: 13,
  keyUpdate: 24,
} as const;

const HEADER_BYTES = 4;
/** Messages after the handshake are small: a session ticket has its length in two bytes. */
const MAX_BODY_BYTES = 0xffff;

/** Joins handshake messages that come in any portions (RFC 8446 section 5.1). */
export class HandshakeMessages {
  /** Grows by doubling, so that the cost grows with the bytes. */
  #buffer: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;

  /** Whether a message has begun and not ended. */
  get isInside(): boolean {
    return this.#end > this.#start;
  }

  push(content: Uint8Array): void {
    const held = this.#buffer.subarray(this.#start, this.#end);
    if (this.#end + content.length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(2 * held.length, held.length + content.length));
      grown.set(held);
      this.#buffer = grown;
      this.#start = 0;
      this.#end = held.length;
    }
    this.#buffer.set(content, this.#end);
    this.#end += content.length;
  }

  /** The next message that is there in full. */
  next(): HandshakeMessage | undefined {
    const held = this.#buffer.subarray(this.#start, this.#end);
    if (held.length < HEADER_BYTES) return undefined;
    const [type = 0, high = 0, middle = 0, low = 0] = held;
    const length = high * 65_536 + middle * 256 + low;
    if (length > MAX_BODY_BYTES) {
      throw RecordFault.protocol(Alert.illegalParameter, 'a handshake message is too large');
    }
    const end = HEADER_BYTES + length;
    if (held.length < end) return undefined;
    this.#start += end;
    return { type, body: held.subarray(HEADER_BYTES, end) };
  }
}
