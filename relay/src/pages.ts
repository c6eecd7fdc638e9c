import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { CloseCode } from '../../src/tunnel/wire/codes.js';
import { addressKey } from './admission/addresses/address.js';
import type { Doorkeeper, Visitor } from './admission/budgets/doorkeeper.js';
import { FrameGuard } from './admission/budgets/frame-guard.js';
import { GuessThrottle } from './admission/budgets/guesses.js';
import { byteBucket, PageBudget } from './admission/budgets/page-budget.js';
import { ProvenBudget } from './admission/budgets/proven.js';
import { BucketsByAddress, rateOf } from './admission/budgets/token-bucket.js';
import { originAllowed } from './admission/origins.js';
import { loggable } from './events.js';
import { dropLargest, type MemoryHolder } from './memory/memory-watch.js';
import type { PageMemory } from './memory/relay-memory.js';
import { RelayResources } from './memory/resources.js';
import type { RelaySettings } from './options.js';
import { createConnector } from './policy/connection/create-connector.js';
import { ReadGate } from './session/read-gate.js';
import { Session } from './session/session.js';

/** Time for a page that is dropped because it holds too much to take the close code. */
const DROPPED_TIMEOUT_MS = 1000;

/** What WebSocket says of a connection that broke (RFC 6455 section 7.4.1). */
const LOST_CODE = 1006;

/** Where a page comes from. */
export interface PageStart {
  origin: string | undefined;
  socket: Socket;
  visitor: Visitor;
}

/** One page's WebSocket with all that watches it. */
class Page implements MemoryHolder {
  readonly session: Session;
  readonly #webSocket: WebSocket;
  readonly #guard: FrameGuard;
  readonly #memory: PageMemory;

  constructor(webSocket: WebSocket, parts: { session: Session; guard: FrameGuard; memory: PageMemory }) {
    this.#webSocket = webSocket;
    this.session = parts.session;
    this.#guard = parts.guard;
    this.#memory = parts.memory;
  }

  get account(): string {
    return this.#memory.account;
  }

  get heldBytes(): number {
    return this.session.heldBytes + this.#guard.heldBytes;
  }

  leave(): void {
    this.#memory.leave();
  }

  dropForMemory(): void {
    this.session.close(CloseCode.limit, 'memory');
    setTimeout(() => this.#webSocket.terminate(), DROPPED_TIMEOUT_MS).unref();
  }
}

/** The pages that are connected, and what they share. */
export class Pages {
  readonly #settings: RelaySettings;
  readonly #doorkeeper: Doorkeeper;
  readonly #pages = new Set<Page>();
  readonly #guesses = new GuessThrottle();
  readonly #proven: ProvenBudget;
  readonly #addressFrames: BucketsByAddress;
  readonly #resources: RelayResources;
  #lastId = 0;

  constructor(settings: RelaySettings, doorkeeper: Doorkeeper) {
    this.#settings = settings;
    this.#doorkeeper = doorkeeper;
    this.#resources = new RelayResources(settings, createConnector(settings));
    this.#proven = new ProvenBudget(settings);
    this.#addressFrames = new BucketsByAddress(rateOf(settings.framesPerSecondPerAddress));
  }

  get size(): number {
    return this.#pages.size;
  }

  /** Streams of all of them. */
  get streams(): number {
    let count = 0;
    for (const { session } of this.#pages) count += session.streams;
    return count;
  }

  [Symbol.iterator](): Iterator<Page> {
    return this.#pages.values();
  }

  /** Takes a WebSocket that has just opened. */
  open(webSocket: WebSocket, start: PageStart): void {
    const { origin, visitor } = start;
    const id = ++this.#lastId;
    const page = this.#watch(webSocket, id, start);
    this.#pages.add(page);
    webSocket.on('close', () => this.#remove(page));
    this.#settings.log({
      type: 'opened',
      connection: id,
      remoteAddress: visitor.address,
      ...(origin === undefined ? {} : { origin: loggable(origin) }),
    });
    // A page cannot see why an upgrade failed, so it is accepted and closed with a code.
    const asksForToken = this.#settings.ways.length > 0;
    if (!originAllowed(origin, { origins: this.#settings.origins, asksForToken })) {
      page.session.close(CloseCode.origin, '');
    }
  }

  /** Ends those who hold too much of the relay's memory. */
  watchMemory(): void {
    dropLargest(this.#pages, this.#settings.maxBufferedBytes);
    this.#resources.memory.relieveAll();
  }

  #remove(page: Page): void {
    this.#pages.delete(page);
    page.leave();
  }

  #watch(webSocket: WebSocket, id: number, { origin, socket, visitor }: PageStart): Page {
    const settings = this.#settings;
    const key = addressKey(visitor.address);
    const memory = this.#resources.memory.page(key);
    const gate = new ReadGate(webSocket);
    const guard = new FrameGuard(webSocket, socket, {
      gate,
      frames: rateOf(settings.framesPerSecond),
      addressFrames: this.#addressFrames.of(key),
      onFlood: () => webSocket.terminate(),
    });
    const budget = new PageBudget({
      ...{ key, origin, ways: settings.ways, limits: settings },
      ...{ guesses: this.#guesses, proven: this.#proven },
      onAdmitted: ({ subject, shared }, bytesPerSecond) => {
        this.#doorkeeper.leave(visitor);
        if (subject !== undefined && !shared) memory.moveTo(`sub ${subject}`);
        guard.setProven(byteBucket(bytesPerSecond));
        gate.tellAtOnce();
        const named = subject === undefined ? {} : { subject: loggable(subject) };
        settings.log({ type: 'admitted', connection: id, ...named });
      },
      goAway: () => session.goAway(),
      close: (code, reason) => session.close(code, reason),
    });
    const session = new Session(webSocket, {
      ...{ id, settings, budget, gate },
      charge: frames => guard.charge(frames),
      ...{ resources: this.#resources, memory, remoteAddress: key },
    });
    // What has been read of its messages is still told, one in a turn: nothing more is to be done for a page that is gone.
    socket.once('close', hadError => {
      if (hadError) session.close(LOST_CODE, '');
    });
    return new Page(webSocket, { session, guard, memory });
  }
}
