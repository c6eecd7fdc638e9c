import { ResetCode, type StreamLimit } from '../../../src/tunnel/wire/codes.js';
import type { Frame, OpenFrame } from '../../../src/tunnel/wire/frames.js';
import { INITIAL_STREAMS } from '../../../src/tunnel/wire/limits.js';
import { RelayStream, type StreamContext } from './stream.js';

/** What a stream costs more than another message, and one beyond a limit: each has an answer, whatever the page asks for next. */
const STREAM_FRAMES = 16;
const REFUSED_STREAM_FRAMES = 50;

export const TOO_MUCH_CREDIT = 'more CREDIT than a window may have';

/** A page's message about a stream. */
export type StreamFrame = Extract<Frame, { type: 'open' | 'data' | 'credit' | 'end' | 'reset' }>;

export interface StreamTableOptions {
  /** For the streams that are opened. */
  context: Omit<StreamContext, 'onEnded'>;
  /** Counts a stream that starts, or tells the limit that forbids it. */
  take: () => StreamLimit | undefined;
  /** A stream that was counted has ended. */
  release: () => void;
  /** Counts a message as so many frames more. */
  charge: (frames: number) => void;
  /** Tells the page of a stream that is refused. */
  refuse: (stream: number, limit: StreamLimit) => void;
  /** The last one that was open has ended. */
  onEmpty: () => void;
}

/** The streams of one socket: their numbers, and how many there may be. */
export class StreamTable {
  readonly #options: StreamTableOptions;
  readonly #context: StreamContext;
  readonly #streams = new Map<number, RelayStream>();
  #started = false;
  #lastNumber = 0;
  #count = 0;
  #bytesFromPage = 0;
  #bytesFromTarget = 0;

  constructor(options: StreamTableOptions) {
    this.#options = options;
    this.#context = { ...options.context, onEnded: stream => this.#onEnded(stream) };
  }

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /** Bytes that wait for the targets, or for a turn to the page. */
  get heldBytes(): number {
    let bytes = 0;
    for (const stream of this.#streams.values()) bytes += stream.heldBytes;
    return bytes;
  }

  /** All streams until now, and the bytes of those that have ended. */
  get totals(): { streams: number; bytesFromPage: number; bytesFromTarget: number } {
    return {
      streams: this.#count,
      bytesFromPage: this.#bytesFromPage,
      bytesFromTarget: this.#bytesFromTarget,
    };
  }

  /** Gives what the page did wrong. */
  receive(frame: StreamFrame): string | undefined {
    switch (frame.type) {
      case 'open':
        return this.#open(frame);
      case 'data':
        return this.#on(frame.stream, stream => stream.receive(frame.payload), 'DATA out of turn');
      case 'credit':
        return this.#on(frame.stream, stream => stream.grant(frame.bytes), TOO_MUCH_CREDIT);
      case 'end':
        return this.#on(frame.stream, stream => stream.endByPage(), 'second END');
      case 'reset':
        return this.#on(frame.stream, stream => stream.abandon(ResetCode.givenUp), '');
    }
  }

  /** The page is admitted: starts what it has opened meanwhile. */
  start(): void {
    this.#started = true;
    for (const stream of [...this.#streams.values()]) {
      const limit = this.#options.take();
      if (limit) stream.reset(ResetCode.limit, limit);
      else stream.start();
    }
  }

  /** The socket is gone. */
  abandon(): void {
    for (const stream of [...this.#streams.values()]) stream.abandon(ResetCode.givenUp, 'socket');
  }

  /** Starts a stream, or keeps it until the page is admitted. */
  #open({ stream: number, hostname, port }: OpenFrame): string | undefined {
    if (number <= this.#lastNumber) return 'stream number out of turn';
    if (!this.#started && this.size >= INITIAL_STREAMS) return 'more streams than before WELCOME';
    this.#lastNumber = number;
    const { take, charge, refuse } = this.#options;
    const limit = this.#started ? take() : undefined;
    if (limit) {
      charge(REFUSED_STREAM_FRAMES);
      refuse(number, limit);
      return undefined;
    }
    const stream = new RelayStream(number, { hostname, port }, this.#context);
    this.#streams.set(number, stream);
    this.#count++;
    if (!this.#started) return undefined;
    charge(STREAM_FRAMES);
    stream.start();
    return undefined;
  }

  /** A message for a stream that has ended may have crossed the end on its way. */
  #on(number: number, act: (stream: RelayStream) => unknown, violation: string): string | undefined {
    if (number > this.#lastNumber) return 'a stream that was never opened';
    const stream = this.#streams.get(number);
    return stream && act(stream) === false ? violation : undefined;
  }

  #onEnded(stream: RelayStream): void {
    this.#streams.delete(stream.number);
    if (stream.hasStarted) this.#options.release();
    this.#bytesFromPage += stream.bytesFromPage;
    this.#bytesFromTarget += stream.bytesFromTarget;
    if (this.size === 0) this.#options.onEmpty();
  }
}
