import { concatenated } from '../util/bytes.js';
import { CloseCode, Opcode } from './codes.js';
import { FrameError, type FrameHead, protocolError, readFrameHead } from './frames.js';

export interface MessageListener {
  onMessage(data: string | Uint8Array<ArrayBuffer>): void;
  onPing(payload: Uint8Array): void;
  /** `code` is 1005 when the server gave none. Nothing is read after it. */
  onClose(code: number, reason: string): void;
}

const nothing = new Uint8Array(0);

/** Puts messages together from a server's bytes (RFC 6455 section 5), as they come. */
export class MessageReader {
  #listener: MessageListener;
  #maxMessageBytes: number;
  /** Bytes of a head, or of a control frame, that is not all there. */
  #pending: Uint8Array = nothing;
  #frame: FrameHead | undefined;
  #left = 0;
  #opcode: number | undefined;
  #body = new GrowingBytes();
  #messageBytes = 0;
  #closed = false;

  constructor(listener: MessageListener, maxMessageBytes: number) {
    this.#listener = listener;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** @throws FrameError */
  receive(bytes: Uint8Array): void {
    let input = this.#pending.length ? concatenated([this.#pending, bytes]) : bytes;
    this.#pending = nothing;
    while (!this.#closed) {
      const used = this.#frame ? this.#readPayload(input) : this.#readHead(input);
      if (used === undefined) {
        this.#pending = input.slice();
        return;
      }
      input = input.subarray(used);
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
    this.#left -= piece.length;
    const done = this.#left === 0;
    this.#take(piece, done && frame.final);
    if (done) this.#frame = undefined;
    return piece.length;
  }

  #take(piece: Uint8Array, last: boolean): void {
    this.#body.push(piece);
    if (!last) return;
    const bytes = this.#body.take();
    const data = this.#opcode === Opcode.text ? decode(bytes, 'a text message is not UTF-8') : bytes;
    this.#opcode = undefined;
    this.#messageBytes = 0;
    this.#listener.onMessage(data);
  }

  #control(opcode: number, payload: Uint8Array): void {
    if (opcode === Opcode.ping) this.#listener.onPing(payload);
    if (opcode !== Opcode.close) return;
    this.#closed = true;
    const { code, reason } = readClose(payload);
    this.#listener.onClose(code, reason);
  }
}

function readClose(payload: Uint8Array): { code: number; reason: string } {
  if (payload.length === 0) return { code: CloseCode.noStatus, reason: '' };
  if (payload.length === 1) throw protocolError('a Close frame has half a code');
  const code = new DataView(payload.buffer, payload.byteOffset).getUint16(0);
  if (!mayBeReceived(code)) throw protocolError('a Close frame has a code that may not be sent');
  return { code, reason: decode(payload.subarray(2), "a Close frame's reason is not UTF-8") };
}

/** RFC 6455 section 7.4, and what IANA has registered since. */
function mayBeReceived(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
  );
}

function decode(bytes: Uint8Array, fault: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FrameError(CloseCode.invalidPayload, fault);
  }
}

/** Grows with what has come, not with what was announced; and small pieces cost no more than their bytes. */
class GrowingBytes {
  #bytes = new Uint8Array(0);
  #length = 0;

  push(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  take(): Uint8Array<ArrayBuffer> {
    const whole = this.#length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#length);
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return whole;
  }
}
