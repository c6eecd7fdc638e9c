import { KeepAlive, type KeepAliveOptions } from './keep-alive.js';
import { watchPage } from './page-events.js';
import { Pinger } from './pinger.js';

/** The round trip is measured about so often while data flows, and streams are opened. */
const MEASURE_MS = 1_000;

/** A socket that was silent for so long, and carried nothing, may be dead without having noticed. */
const DOUBTFUL_MS = 10_000;

export interface SignsOfLifeOptions {
  send(message: Uint8Array<ArrayBuffer>): void;
  /** The relay has not answered in time. */
  onSilent(): void;
}

/** Whether the relay is there, and how far away. */
export class SignsOfLife {
  readonly #pinger: Pinger;
  readonly #keepAlive: KeepAlive;
  #heardAtMs = Date.now();
  #ignorePage = () => {};

  constructor(
    webSocket: { readonly bufferedAmount: number },
    keepAlive: KeepAliveOptions,
    options: SignsOfLifeOptions,
  ) {
    this.#pinger = new Pinger(message => options.send(message));
    const watched = {
      get bufferedAmount() {
        return webSocket.bufferedAmount;
      },
      ping: () => this.#pinger.ping(),
      onSilent: () => options.onSilent(),
    };
    this.#keepAlive = new KeepAlive(watched, keepAlive);
  }

  get roundTripMs(): number | undefined {
    return this.#pinger.roundTripMs;
  }

  /** The socket has opened. */
  begin(): void {
    this.#heardAtMs = Date.now();
    this.#ignorePage = watchPage(() => this.#keepAlive.probe());
  }

  end(): void {
    this.#keepAlive.stop();
    this.#ignorePage();
  }

  /** There is a stream again, which waits for the relay. */
  wake(): void {
    this.#keepAlive.start();
    if (Date.now() - this.#heardAtMs > DOUBTFUL_MS) this.#keepAlive.probe();
  }

  /** There is no stream. */
  rest(): void {
    this.#keepAlive.stop();
  }

  /** Something has come from the relay. */
  heard(): void {
    this.#heardAtMs = Date.now();
    this.#keepAlive.alive();
  }

  onPong(number: number): void {
    this.#pinger.onPong(number);
  }

  /** WELCOME has answered HELLO. */
  welcomed(afterMs: number): void {
    this.#pinger.note(afterMs);
    this.#pinger.pingOnce();
  }

  /** Asks for an answer behind what was sent, unless one is awaited. */
  ask(): void {
    this.#pinger.pingOnce();
  }

  /** Measures the round trip again, when the last time is long ago. */
  measure(): void {
    if (this.#pinger.sinceMs > MEASURE_MS) this.#pinger.pingOnce();
  }
}
