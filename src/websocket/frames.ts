import { CloseCode, MAX_CONTROL_BYTES, Opcode } from './codes.js';

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
