import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { INITIAL_CREDIT_BYTES } from '../../../../src/tunnel/wire/limits.js';
import { totalLength } from '../../../../src/util/bytes.js';
import { type Rate, TokenBucket } from './token-bucket.js';

/** A read below this size costs more than its bytes do. */
const SMALL_READ_BYTES = 512;
/** What a read costs in memory until its frame is complete, however small it is: measured 0.4 KB. */
const READ_OVERHEAD_BYTES = 512;
/** Frames and small reads of a page before it is admitted: HELLO, the first messages of a few streams, and pings. */
const MAX_UNPROVEN_OBJECTS = 512;
/** What HELLO, OPEN and the DATA that the format allows before WELCOME take, and as much again. */
const MAX_UNPROVEN_BYTES = 2 * INITIAL_CREDIT_BYTES;

/** Frames of a page that are heard before others have their turn. */
const MAX_IN_TURN = 64;
/** A page that is not read cannot be seen to go: so often it is written to. */
const LOOK_INTERVAL_MS = 1000;

/** Keeps a page's WebSocket from being read while there is a reason. */
interface Gate {
  close(reason: string): void;
  open(reason: string): void;
}

export interface FrameGuardOptions {
  gate: Gate;
  /** Frames and small reads of this WebSocket. */
  frames: Rate;
  /** The same of all WebSockets of its address. */
  addressFrames: TokenBucket;
  /** Too much came before the page was admitted. */
  onFlood: () => void;
}

/**
 * Counts what a page sends by the piece: WebSocket frames of every kind, and small reads. A page that is admitted waits when it
 * is over a rate, so that TCP holds it back; one that is not yet is cut off.
 */
export class FrameGuard {
  readonly #webSocket: WebSocket;
  readonly #options: FrameGuardOptions;
  readonly #frames: TokenBucket;
  /** Set when the page is admitted: the bytes that it may send. */
  #bytes: TokenBucket | undefined;
  #objects = 0;
  #unprovenBytes = 0;
  /** Of the frame that is not complete yet, about. */
  #reads = 0;
  #readBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Frames since others had their turn. */
  #inTurn = 0;
  #lookedAt = 0;

  constructor(webSocket: WebSocket, socket: Duplex, options: FrameGuardOptions) {
    this.#webSocket = webSocket;
    this.#options = options;
    this.#frames = new TokenBucket(options.frames);
    const onFrame = (data: RawData) =>
      this.#onFrame(Array.isArray(data) ? totalLength(data) : data.byteLength);
    webSocket.on('message', onFrame);
    webSocket.on('ping', onFrame);
    webSocket.on('pong', onFrame);
    webSocket.on('close', () => clearTimeout(this.#timer));
    socket.on('data', (chunk: Buffer) => this.#onRead(chunk.length));
  }

  /** From now on the page waits instead of being cut off. */
  setProven(bytes: TokenBucket): void {
    this.#bytes = bytes;
  }

  /** A frame made work of so many more. */
  charge(frames: number): void {
    this.#spend(frames, 0);
  }

  /** About what the frame that is not complete yet holds. */
  get heldBytes(): number {
    return this.#readBytes + this.#reads * READ_OVERHEAD_BYTES;
  }

  #onRead(length: number): void {
    this.#reads++;
    this.#readBytes += length;
    this.#countUnproven(length);
    if (length < SMALL_READ_BYTES) this.#count(0);
  }

  #onFrame(length: number): void {
    this.#reads = 0;
    this.#readBytes = 0;
    this.#count(length);
  }

  #countUnproven(bytes: number): void {
    this.#unprovenBytes += bytes;
    if (!this.#bytes && this.#unprovenBytes > MAX_UNPROVEN_BYTES) this.#options.onFlood();
  }

  #count(bytes: number): void {
    if (!this.#bytes) {
      if (++this.#objects > MAX_UNPROVEN_OBJECTS) this.#options.onFlood();
      return;
    }
    this.#spend(1, bytes);
  }

  #spend(frames: number, bytes: number): void {
    const { addressFrames } = this.#options;
    const waitMs = Math.max(
      this.#frames.take(frames),
      addressFrames.take(frames),
      this.#bytes?.take(bytes) ?? 0,
    );
    if (waitMs > 0) this.#pause(waitMs);
    if (this.#inTurn < MAX_IN_TURN && this.#inTurn + frames >= MAX_IN_TURN) this.#endTurn();
    this.#inTurn += frames;
  }

  /** Lets others have their turn before more is read. */
  #endTurn(): void {
    const { gate } = this.#options;
    gate.close('turn');
    setImmediate(() => {
      this.#inTurn = 0;
      gate.open('turn');
    });
  }

  #pause(waitMs: number): void {
    const { gate } = this.#options;
    gate.close('rate');
    clearTimeout(this.#timer);
    this.#look();
    const isLong = waitMs > LOOK_INTERVAL_MS;
    const goOn = () => (isLong ? this.#pause(waitMs - LOOK_INTERVAL_MS) : gate.open('rate'));
    this.#timer = setTimeout(goOn, isLong ? LOOK_INTERVAL_MS : waitMs);
  }

  /** Writing to a connection that is gone fails, and ends the WebSocket with all that it holds. */
  #look(): void {
    if (performance.now() - this.#lookedAt < LOOK_INTERVAL_MS) return;
    this.#lookedAt = performance.now();
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping(() => {});
  }
}
