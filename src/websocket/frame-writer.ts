import { MAX_CONTROL_BYTES } from './codes.js';

const MASK_BYTES = 4;

/** A frame that is to be sent. */
export interface OutgoingFrame {
  opcode: number;
  payload: Uint8Array;
  /** The end of its message. Default: true. */
  final?: boolean;
}

/** As many bytes as are usually written at once, with the heads of their frames. */
const KEPT_BYTES = 256 * 1024;

/**
 * Frames of a client, one behind the other: masked with keys that the server can't foresee (RFC 6455 section 5.3). They are good until
 * the next call.
 */
export function encodeFrames(frames: readonly OutgoingFrame[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const { payload } of frames) length += headBytes(payload.length) + payload.length;
  const writer = writerFor(length);
  let end = 0;
  for (const frame of frames) end = writer.write(frame, end);
  return writer.bytes.subarray(0, length);
}

function headBytes(length: number): number {
  return 2 + extendedBytes(length) + MASK_BYTES;
}

function extendedBytes(length: number): number {
  return length > 0xffff ? 8 : length > MAX_CONTROL_BYTES ? 2 : 0;
}

/** Puts frames into memory of its own. */
class FrameWriter {
  readonly bytes: Uint8Array<ArrayBuffer>;
  #words: Uint32Array;

  constructor(bytes: number) {
    this.#words = new Uint32Array((bytes + 3) >> 2);
    this.bytes = new Uint8Array(this.#words.buffer as ArrayBuffer);
  }

  /** Returns where the frame ends. */
  write({ opcode, payload, final = true }: OutgoingFrame, start: number): number {
    const { bytes } = this;
    const { length } = payload;
    const extended = extendedBytes(length);
    bytes[start] = (final ? 0x80 : 0) | opcode;
    bytes[start + 1] = 0x80 | (extended === 8 ? 127 : extended === 2 ? 126 : length);
    const keyAt = start + 2 + extended;
    for (let at = keyAt - 1, rest = length; at > start + 1; at--, rest = Math.floor(rest / 256))
      bytes[at] = rest;
    writeKey(bytes, keyAt);
    const end = keyAt + MASK_BYTES + length;
    bytes.set(payload, keyAt + MASK_BYTES);
    this.#mask(keyAt, end);
    return end;
  }

  /** Masks what follows the key. Four bytes at a time where they are aligned: byte by byte this took longer than the encryption. */
  #mask(keyAt: number, end: number): void {
    const start = keyAt + MASK_BYTES;
    const firstWord = (start + 3) >> 2;
    const endWord = end >> 2;
    if (firstWord >= endWord) {
      this.#maskBytes(keyAt, start, end);
      return;
    }
    for (let at = 0; at < MASK_BYTES; at++)
      keyBytes[at] = this.bytes[keyAt + ((4 * firstWord + at - start) & 3)] as number;
    const [word = 0] = keyWord;
    const words = this.#words;
    for (let at = firstWord; at < endWord; at++) (words[at] as number) ^= word;
    this.#maskBytes(keyAt, start, 4 * firstWord);
    this.#maskBytes(keyAt, 4 * endWord, end);
  }

  #maskBytes(keyAt: number, from: number, to: number): void {
    const { bytes } = this;
    for (let at = from; at < to; at++) (bytes[at] as number) ^= bytes[keyAt + ((at - keyAt) & 3)] as number;
  }
}

const keyWord = new Uint32Array(1);
const keyBytes = new Uint8Array(keyWord.buffer);

/** Kept, because fresh memory takes longer to fill than whoever takes the frames needs to copy them. */
let kept = new FrameWriter(0);

function writerFor(bytes: number): FrameWriter {
  if (bytes > KEPT_BYTES) return new FrameWriter(bytes);
  if (kept.bytes.length < bytes) kept = new FrameWriter(Math.min(KEPT_BYTES, 2 * bytes));
  return kept;
}

/** Made by the hundred: a call of the platform takes longer than the rest of a small frame. */
const randomBytes = new Uint8Array(256 * MASK_BYTES);
let randomUsed = randomBytes.length;

function writeKey(bytes: Uint8Array, keyAt: number): void {
  if (randomUsed === randomBytes.length) {
    crypto.getRandomValues(randomBytes);
    randomUsed = 0;
  }
  for (let at = 0; at < MASK_BYTES; at++) bytes[keyAt + at] = randomBytes[randomUsed++] as number;
}
