import { concatenated } from '../util/bytes.js';
import { CloseCode, MAX_CONTROL_BYTES, Opcode } from './codes.js';
import { FrameError, type FrameHead, protocolError, readFrameHead } from './frames.js';
import { MessageBytes } from './message-bytes.js';

export interface MessageListener {
  onMessage(data: string | Uint8Array<ArrayBuffer>): void;
  onPing(payload: Uint8Array): void;
  /** `code` is 1005 when the server gave none. Nothing is read after it. */
  onClose(code: number, reason: string): void;
}

const nothing = new Uint8Array(0);

/** No head is longer, and no control frame: what is read at once when it is all there. */
const MAX_STEP_BYTES = MAX_CONTROL_BYTES;

/** Puts messages together from a server's bytes (RFC 6455 section 5), as they come. */
export class MessageReader {
  #listener: MessageListener;
  #maxMessageBytes: number;
  /** Bytes of a head, or of a control frame, that is not all there. */
  #pending: Uint8Array = nothing;
  #frame: FrameHead | undefined;
  #left = 0;
  #opcode: number | undefined;
  #body = new MessageBytes();
  #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #messageBytes = 0;
  #closed = false;

  constructor(listener: MessageListener, maxMessageBytes: number) {
    this.#listener = listener;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** @throws FrameError */
  receive(bytes: Uint8Array): void {
    let left = bytes;
    while (!this.#closed) {
      const pending = this.#pending;
      const input = pending.length > 0 ? concatenated([pending, left.subarray(0, MAX_STEP_BYTES)]) : left;
      const used = this.#frame ? this.#readPayload(input) : this.#readHead(input);
      if (used === undefined) {
        this.#pending = input.length > 0 ? input.slice() : nothing;
        return;
      }
      this.#pending = nothing;
      left = left.subarray(used - pending.length);
    }
  }

  #readHead(input: Uint8Array): number | undefined {
    const read = readFrameHead(input);
    if (!read) return undefined;
    const { head, size } = read;
    if (head.opcode < Opcode.close) this.#beginFrame(head);
    this.#frame = head;
    this.#left = head.length;
    return size;
  }

  #beginFrame({ opcode, length }: FrameHead): void {
    const continues = opcode === Opcode.continuation;
    if (continues !== (this.#opcode !== undefined)) {
      throw protocolError(continues ? 'a continuation continues nothing' : 'a message begins within another');
    }
    if (!continues) this.#opcode = opcode;
    this.#messageBytes += length;
    if (this.#messageBytes > this.#maxMessageBytes) {
      throw new FrameError(CloseCode.tooBig, `a message has more than ${this.#maxMessageBytes} bytes`);
    }
  }

  #readPayload(input: Uint8Array): number | undefined {
    const frame = this.#frame as FrameHead;
    if (frame.opcode >= Opcode.close) {
      if (input.length < frame.length) return undefined;
      this.#frame = undefined;
      this.#control(frame.opcode, input.slice(0, frame.length));
      return frame.length;
    }
    if (input.length === 0 && this.#left > 0) return undefined;
    const piece = input.subarray(0, this.#left);
    const leftBytes = this.#left;
    this.#left -= piece.length;
    const done = this.#left === 0;
    if (done) this.#frame = undefined;
    if (done && frame.final) this.#takeLast(piece);
    else this.#body.push(piece, { leftBytes, final: frame.final });
    return piece.length;
  }

  #takeLast(piece: Uint8Array): void {
    const isText = this.#opcode === Opcode.text;
    const gathered = this.#gathered(piece);
    this.#opcode = undefined;
    this.#messageBytes = 0;
    if (isText) this.#listener.onMessage(this.#decode(gathered ?? piece, 'a text message is not UTF-8'));
    else this.#listener.onMessage(gathered ?? new Uint8Array(piece));
  }

  /** The message with this end; undefined where that is all of it. */
  #gathered(last: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (this.#body.isEmpty) return undefined;
    this.#body.push(last, { leftBytes: last.length, final: true });
    return this.#body.take();
  }

  #control(opcode: number, payload: Uint8Array): void {
    if (opcode === Opcode.ping) this.#listener.onPing(payload);
    if (opcode !== Opcode.close) return;
    this.#closed = true;
    const { code, reason } = this.#readClose(payload);
    this.#listener.onClose(code, reason);
  }

  #readClose(payload: Uint8Array): { code: number; reason: string } {
    if (payload.length === 0) return { code: CloseCode.noStatus, reason: '' };
    if (payload.length === 1) throw protocolError('a Close frame has half a code');
    const code = new DataView(payload.buffer, payload.byteOffset).getUint16(0);
    if (!mayBeReceived(code)) throw protocolError('a Close frame has a code that may not be sent');
    return { code, reason: this.#decode(payload.subarray(2), "a Close frame's reason is not UTF-8") };
  }

  #decode(bytes: Uint8Array, fault: string): string {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      throw new FrameError(CloseCode.invalidPayload, fault);
    }
  }
}

/** RFC 6455 section 7.4, and what IANA has registered since. */
function mayBeReceived(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
  );
}
