import type { WebSocket } from 'ws';
import { decodeFrame, type Frame } from '../../../src/tunnel/wire/frames.js';
import { totalLength } from '../../../src/util/bytes.js';

/** Members of a receiver of `ws` 8, a `Writable` for what is read. */
interface Receiver {
  /** What has been read and not been looked at. */
  _buffers: Buffer[];
  _bufferedBytes: number;
  /** Of the frame whose payload comes next. */
  _payloadLength: number;
  _opcode: number;
  _compressed: boolean;
  _fin: boolean;
  _mask: Buffer | undefined;
  /** Frames of the message until now. */
  _numFragments: number;
  _errored: boolean;
  getData(callback: unknown): void;
  write(chunk: Buffer): boolean;
  on(event: 'message', listener: (data: Buffer[]) => void): void;
  on(event: 'error', listener: () => void): void;
}

const BINARY_OPCODE = 2;
/** Parts of fewer bytes on average are copied together: each costs more than the copy. So a message has 64 parts at most. */
const MIN_PART_BYTES = 4096;

/**
 * Makes a WebSocket tell binary messages in parts, as they were read. By itself `ws` copies together what has come in several reads,
 * which are almost all bytes of an upload. Here each part passes through `ws` as if it were a frame: it unmasks it, and applies its
 * limits to the frame as a whole.
 *
 * `ws` has no public way to do that. With a `ws` for which it does not work, frames go on being copied together.
 */
export function tellInParts(webSocket: WebSocket): void {
  webSocket.binaryType = 'fragments';
  const { _receiver: receiver } = webSocket as { _receiver?: Receiver };
  if (!receiver) return;
  works ??= isTold(receiver);
  if (works) wrap(receiver);
}

/** Whether it works with this `ws`, once that has been tried. */
let works: boolean | undefined;

/** Gives a receiver of the same kind a message in two reads. */
function isTold(like: Receiver): boolean {
  const [mask, payload] = [Buffer.from([1, 2, 3, 4]), Buffer.alloc(3 * MIN_PART_BYTES, 'abcdefg')];
  const masked = payload.map((byte, index) => byte ^ (mask[index & 3] ?? 0));
  const head = Buffer.from([0x80 | BINARY_OPCODE, 0xfe, payload.length >> 8, payload.length & 255]);
  const parts: Buffer[] = [];
  try {
    const receiver = new (like.constructor as new (options: object) => Receiver)({
      ...{ isServer: true, binaryType: 'fragments', allowSynchronousEvents: true },
    });
    wrap(receiver);
    receiver.on('message', data => parts.push(...data));
    receiver.on('error', () => {});
    receiver.write(Buffer.concat([head, mask, masked.subarray(0, MIN_PART_BYTES + 1)]));
    receiver.write(Buffer.from(masked.subarray(MIN_PART_BYTES + 1)));
  } catch {
    return false;
  }
  return parts.length === 2 && Buffer.concat(parts).equals(payload);
}

function wrap(receiver: Receiver): void {
  const { getData } = receiver;
  const partMask = Buffer.alloc(4);
  receiver.getData = function (this: Receiver, callback) {
    if (isInParts(this)) getInParts(this, { getData: () => getData.call(this, callback), partMask });
    else getData.call(this, callback);
  };
}

/** Reads a message of the page's; `undefined` for anything that the format does not allow. DATA in parts is as good as several messages. */
export function decodeParts(parts: Buffer[]): Frame[] | undefined {
  const [head, ...rest] = parts;
  const isWorthIt = head && totalLength(parts) >= MIN_PART_BYTES * parts.length;
  const data = rest.length > 0 && isWorthIt ? decodeFrame(head) : undefined;
  if (data?.type === 'data') return [data, ...rest.map(payload => ({ ...data, payload }))];
  const frame = decodeFrame(head && rest.length === 0 ? head : Buffer.concat(parts));
  return frame && [frame];
}

/** Whether the payload that comes next is there, and lies in several buffers. */
function isInParts(receiver: Receiver): boolean {
  const { _buffers: buffers, _payloadLength: length } = receiver;
  return (
    length > (buffers[0]?.length ?? length) &&
    length <= receiver._bufferedBytes &&
    length >= MIN_PART_BYTES * buffers.length &&
    receiver._opcode === BINARY_OPCODE &&
    !receiver._compressed
  );
}

function getInParts(
  receiver: Receiver,
  { getData, partMask }: { getData: () => void; partMask: Buffer },
): void {
  const { _payloadLength: length, _fin: isLast, _mask: mask, _numFragments: count } = receiver;
  receiver._fin = false;
  for (let start = 0; start < length && !receiver._errored; start += receiver._payloadLength) {
    const rest = length - start;
    receiver._payloadLength = Math.min(rest, receiver._buffers[0]?.length || 1);
    receiver._mask = mask && rotate(mask, start, partMask);
    // All parts are one frame.
    receiver._numFragments = count;
    if (receiver._payloadLength === rest) receiver._fin = isLast;
    getData();
  }
}

/** The mask for what follows behind so many bytes. */
function rotate(mask: Buffer, bytes: number, target: Buffer): Buffer {
  for (let index = 0; index < 4; index++) target[index] = mask[(bytes + index) & 3] ?? 0;
  return target;
}
