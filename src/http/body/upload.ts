import type { HttpEngine } from '../http-engine.js';
import type { BodyReader } from './body-reader.js';
import { type OnProgress, ProgressCounter } from './progress.js';
import type { RequestBody } from './request-body.js';

/** What the engine is given at once, and how often the page is told how far an upload is. */
const PIECE_BYTES = 128 * 1024;
/** A body that is no larger comes along with its request's head: whoever reads that has most likely read it all. */
const SMALL_BODY_BYTES = 16 * 1024;

/** The way of a request's body into the engine, which asks for each piece. */
export class Upload {
  /** Nothing more is sent. */
  over: boolean;
  /** Whether any of the body was read. */
  begun = false;
  /** What reading the body failed with. */
  failure: unknown;

  #engine: HttpEngine;
  #body: RequestBody | undefined;
  #onOver: () => void;
  #exchange = 0;
  #reader: BodyReader | undefined;
  #piece = new Uint8Array(0);
  #progress: ProgressCounter | undefined;

  /** `onOver` is called when the body has been sent, cannot be read, or is not wanted any more; not by `stop` and `abandon`. */
  constructor(engine: HttpEngine, body: RequestBody | undefined, onOver: () => void) {
    this.#engine = engine;
    this.#body = body;
    this.#onOver = onOver;
    this.over = !body || body.length === 0;
  }

  get isSmall(): boolean {
    return !this.#body || (this.#body.length ?? Infinity) <= SMALL_BODY_BYTES;
  }

  /** @param exchange the engine's handle */
  begin(exchange: number, onProgress: OnProgress | undefined): void {
    this.#exchange = exchange;
    if (onProgress) this.#progress = new ProgressCounter(onProgress, this.#body?.length);
  }

  /** Sends one piece more, or tells the end. */
  async sendNext(): Promise<void> {
    try {
      const piece = await this.#next();
      if (this.over) return;
      if (piece) {
        this.#engine.send(this.#exchange, piece);
        this.#progress?.add(piece.length);
      } else {
        this.#engine.sendEnd(this.#exchange);
        this.end();
      }
    } catch (error) {
      if (this.over) return;
      this.failure = error;
      this.#engine.sendAbort(this.#exchange);
      this.end();
    }
  }

  /** Nothing more is asked for. */
  end(): void {
    this.over = true;
    this.#onOver();
  }

  /** Lets go of a body that is being read. What nobody has read yet may serve another attempt. */
  stop(reason: unknown): void {
    this.over = true;
    this.#reader?.cancel(reason);
  }

  /** Lets go of the body in any case. */
  abandon(reason: unknown): void {
    if (!this.#reader) this.#body?.abandon(reason);
    this.stop(reason);
  }

  async #next(): Promise<Uint8Array | undefined> {
    while (this.#piece.length === 0) {
      this.begun = true;
      this.#reader ??= this.#body?.open();
      const next = await this.#reader?.next();
      if (!next) return undefined;
      this.#piece = next as Uint8Array<ArrayBuffer>;
    }
    const piece = this.#piece.subarray(0, PIECE_BYTES);
    this.#piece = this.#piece.subarray(PIECE_BYTES);
    return piece;
  }
}
