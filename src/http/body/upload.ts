import type { HttpEngine } from '../http-engine.js';
import { BodyPieces } from './body-pieces.js';
import { type OnProgress, ProgressCounter } from './progress.js';
import type { RequestBody } from './request-body.js';

/**
 * What the engine is given at once, and how often the page is told how far an upload is: as frames of HTTP/2, each of which fills a TLS
 * record with its head of 9 bytes, it makes a message of the tunnel.
 */
const PIECE_BYTES = 15 * (16_384 - 9);
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
  #pieces: BodyPieces | undefined;
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
    this.#pieces?.cancel(reason);
  }

  /** Lets go of the body in any case. */
  abandon(reason: unknown): void {
    if (!this.#pieces) this.#body?.abandon(reason);
    this.stop(reason);
  }

  #next(): Promise<Uint8Array | undefined> {
    this.begun = true;
    if (this.#body) this.#pieces ??= new BodyPieces(this.#body.open(), PIECE_BYTES);
    return this.#pieces?.next() ?? Promise.resolve(undefined);
  }
}
