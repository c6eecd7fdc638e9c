import { CloseCode, MAX_CONTROL_BYTES, Opcode } from './codes.js';

const MASK_BYTES = 4;

/** What the server sent is not as RFC 6455 has it, or too much. `closeCode` is what it is told. */
export class FrameError extends Error {
  readonly closeCode: number;

  constructor(closeCode: number, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

export interface FrameHead {
  final: boolean;
  opcode: number;
  length: number;
}

/** A frame that is to be sent. */
export interface OutgoingFrame {
  opcode: number;
  payload: Uint8Array;
  /** The end of its message. Default: true. */
  final?: boolean;
}

/** Frames of a client, one behind the other: masked with keys that the server can't foresee (RFC 6455 section 5.3). */
export function encodeFrames(frames: readonly OutgoingFrame[]): Uint8Array<ArrayBuffer> {
  const sizes = frames.map(({ payload }) => 2 + extendedBytes(payload.length) + MASK_BYTES + payload.length);
  const encoded = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let end = 0;
  for (const [index, frame] of frames.entries()) {
    const start = end;
    end += sizes[index] as number;
    writeFrame(encoded.subarray(start, end), frame);
  }
  return encoded;
}

function extendedBytes(length: number): number {
  return length > 0xffff ? 8 : length > MAX_CONTROL_BYTES ? 2 : 0;
}

function writeFrame(frame: Uint8Array<ArrayBuffer>, { opcode, payload, final = true }: OutgoingFrame): void {
  const { length } = payload;
  const extended = extendedBytes(length);
  const view = new DataView(frame.buffer, frame.byteOffset);
  frame[0] = (final ? 0x80 : 0) | opcode;
  frame[1] = 0x80 | (extended === 8 ? 127 : extended === 2 ? 126 : length);
  if (extended === 2) view.setUint16(2, length);
  if (extended === 8) view.setBigUint64(2, BigInt(length));
  const head = 2 + extended + MASK_BYTES;
  const key = crypto.getRandomValues(frame.subarray(head - MASK_BYTES, head));
  const body = frame.subarray(head);
  body.set(payload);
  mask(body, key);
}

/** Four bytes at a time where they are aligned: byte by byte this took longer than the encryption. */
function mask(body: Uint8Array, key: Uint8Array): void {
  const start = -body.byteOffset & 3;
  const words = Math.max(0, (body.length - start) >> 2);
  const maskBytes = (from: number, to: number) => {
    for (let at = from; at < to; at++) (body[at] as number) ^= key[at & 3] as number;
  };
  if (words === 0) {
    maskBytes(0, body.length);
    return;
  }
  const aligned = new Uint32Array(body.buffer, body.byteOffset + start, words);
  const [word = 0] = new Uint32Array(Uint8Array.from(key, (_, at) => key[(at + start) & 3] as number).buffer);
  for (let at = 0; at < words; at++) (aligned[at] as number) ^= word;
  maskBytes(0, start);
  maskBytes(start + 4 * words, body.length);
}

/** The frame's head at the beginning of `bytes`, and its own length; undefined when it is not all there. */
export function readFrameHead(bytes: Uint8Array): { head: FrameHead; size: number } | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const opcode = first & 0x0f;
  const head: FrameHead = { final: (first & 0x80) !== 0, opcode, length: second & 0x7f };
  if (first & 0x70) throw protocolError('a reserved bit is set, without an extension');
  if (second & 0x80) throw protocolError('a frame of the server is masked');
  const control = opcode >= Opcode.close;
  if (opcode > (control ? Opcode.pong : Opcode.binary)) throw protocolError('an opcode is unknown');
  if (control && (!head.final || head.length > MAX_CONTROL_BYTES)) {
    throw protocolError('a control frame is fragmented or too long');
  }
  const extended = head.length === 127 ? 8 : head.length === 126 ? 2 : 0;
  if (bytes.length < 2 + extended) return undefined;
  if (extended) head.length = readLength(new DataView(bytes.buffer, bytes.byteOffset + 2, extended));
  return { head, size: 2 + extended };
}

function readLength(view: DataView): number {
  const short = view.byteLength === 2;
  const length = short ? BigInt(view.getUint16(0)) : view.getBigUint64(0);
  if (length <= (short ? MAX_CONTROL_BYTES : 0xffff))
    throw protocolError('a length is not in its shortest form');
  if (length >> 63n) throw protocolError('a length is negative');
  return Number(length);
}

export function protocolError(message: string): FrameError {
  return new FrameError(CloseCode.protocolError, message);
}
