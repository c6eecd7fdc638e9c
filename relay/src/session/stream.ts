import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { ResetCode, type ResetCodeNumber, type StreamLimit } from '../../../src/tunnel/wire/codes.js';
import { encodeCredit, encodeEnd, encodeOpened, encodeReset } from '../../../src/tunnel/wire/frames.js';
import { type GrowthBudget, ReceiveWindow } from '../../../src/tunnel/wire/receive-window.js';
import { formatHostPort, type HostPort } from '../../../src/util/host-port.js';
import { loggable } from '../events.js';
import type { MessageBuffers } from '../memory/message-buffers.js';
import type { PageMemory } from '../memory/relay-memory.js';
import type { RelayResources } from '../memory/resources.js';
import type { RelaySettings } from '../options.js';
import { type ClientHelloFault, ClientHelloGate } from '../policy/connection/client-hello.js';
import { resetTarget } from '../policy/connection/target-socket.js';
import type { Target } from '../policy/target.js';
import { LookupLimitError, TargetDeniedError, TargetUnreachableError } from '../policy/target-error.js';
import type { TargetRule } from '../policy/target-rule.js';
import type { Outbox } from './outbox.js';
import { TargetReader } from './target-reader.js';
import { TargetWriter } from './target-writer.js';

/** Made once: an abort without a reason makes an error with a stack each time. */
const OVER = new Error('the stream is over');

/** What a socket gives all of its streams. */
export interface StreamContext {
  /** The socket's number in the relay's events. */
  connection: number;
  settings: RelaySettings;
  resources: RelayResources;
  memory: PageMemory;
  buffers: MessageBuffers;
  /** What the page's lookups count for. */
  account: string;
  /** What the page's token narrows the targets to. */
  narrowedTo: () => readonly TargetRule[] | undefined;
  outbox: Outbox;
  growthBudget: GrowthBudget;
  roundTripMs: () => number | undefined;
  /** What the page's windows of streams start with. */
  pageWindowBytes: number;
  onEnded: (stream: RelayStream) => void;
}

/** One stream of a socket: a TCP connection to a target, and what waits on the way to and from it. */
export class RelayStream {
  readonly number: number;
  readonly #context: StreamContext;
  readonly #asked: HostPort;
  readonly #startedAt = performance.now();
  readonly #writer: TargetWriter;
  readonly #reader: TargetReader;
  /** Judges what the page sends first; undefined when that has passed, and where nothing is asked of it. */
  #gate: ClientHelloGate | undefined;
  /** Ends the lookup and the attempts to connect. */
  readonly #aborted = new AbortController();
  /** Waits for bytes. */
  #timer: NodeJS.Timeout | undefined;
  #state: 'waiting' | 'connecting' | 'open' | 'over' = 'waiting';
  /** Fit for the log, and allowed. */
  #target: string | undefined;
  #denied: string | undefined;
  #socket: Socket | undefined;
  /** Why nothing can be written any more. */
  #writeFailure: NodeJS.ErrnoException | undefined;
  #targetEnded = false;
  #endSent = false;
  #socketClosed = false;
  /** The target has reset the connection: the page is told behind what it has still to take. */
  #failed = false;

  constructor(number: number, asked: HostPort, context: StreamContext) {
    this.number = number;
    this.#asked = asked;
    this.#context = context;
    const { settings, memory, buffers, outbox, growthBudget, roundTripMs, connection } = context;
    if (settings.requireClientHello) this.#gate = new ClientHelloGate(asked.hostname);
    this.#writer = new TargetWriter({
      window: new ReceiveWindow({
        initialBytes: settings.windowBytes,
        maxBytes: settings.maxWindowBytes,
        budget: growthBudget,
        roundTripMs,
      }),
      memory,
      onCredit: bytes => outbox.sendControl(encodeCredit(number, bytes)),
      onTaken: () => this.#timer?.refresh(),
    });
    this.#reader = new TargetReader({
      stream: number,
      creditBytes: context.pageWindowBytes,
      outbox,
      buffers,
      observe: payload => settings.observeBytes('target-to-page', payload, connection, number),
      onResume: () => this.#socket?.resume(),
    });
  }

  /** Bytes that wait here for page or target. */
  get heldBytes(): number {
    return this.#writer.heldBytes + this.#reader.heldBytes;
  }

  get hasStarted(): boolean {
    return this.#state !== 'waiting';
  }

  get bytesFromPage(): number {
    return this.#writer.receivedBytes;
  }

  get bytesFromTarget(): number {
    return this.#reader.sentBytes;
  }

  /** Connects to the target, when it is allowed. */
  start(): void {
    this.#state = 'connecting';
    const { resources, narrowedTo } = this.#context;
    const target = resources.targets.check(this.#asked, narrowedTo());
    if (target) void this.#connect(target);
    else this.#deny(formatHostPort(this.#asked));
  }

  async #connect(target: Target): Promise<void> {
    this.#target = loggable(formatHostPort(target));
    const { resources, account } = this.#context;
    const startedAt = performance.now();
    try {
      const socket = await resources.targets.connect(target, {
        listener: {
          buffer: resources.readBuffer,
          onBytes: bytes => this.#onBytes(bytes),
          onWriteFailed: error => this.#onWriteFailed(error),
        },
        signal: this.#aborted.signal,
        account,
      });
      this.#onConnected(socket, startedAt);
    } catch (error) {
      this.#onUnconnected(error);
    }
  }

  #onUnconnected(error: unknown): void {
    if (error instanceof TargetDeniedError) this.#deny(error.message);
    else if (error instanceof LookupLimitError) this.reset(ResetCode.limit, 'lookups' satisfies StreamLimit);
    else
      this.reset(ResetCode.unreachable, error instanceof TargetUnreachableError ? error.reason : 'network');
  }

  #deny(target: string): void {
    this.#target = undefined;
    this.#denied = loggable(target);
    this.reset(ResetCode.denied);
  }

  /** DATA of the page's; `false` when that was a violation. */
  receive(payload: Uint8Array): boolean {
    if (this.#writer.hasEnded || !this.#writer.receive(payload)) return false;
    this.#context.settings.observeBytes('page-to-target', payload, this.#context.connection, this.number);
    if (this.#gate) this.#judge(this.#gate.take(payload));
    return true;
  }

  /** Until the page has shown a ClientHello for the target, nothing goes to the target or comes from it. */
  #judge(verdict: 'more' | 'ok' | ClientHelloFault): void {
    if (verdict === 'more') return;
    if (verdict !== 'ok') {
      this.reset(ResetCode.notTls, verdict);
      return;
    }
    this.#gate = undefined;
    if (this.#socket) this.#writer.start(this.#socket);
  }

  /** END of the page's; `false` when that was a violation. */
  endByPage(): boolean {
    if (this.#writer.hasEnded) return false;
    this.#writer.end();
    if (this.#gate) this.reset(ResetCode.notTls, 'not a ClientHello');
    return true;
  }

  /** CREDIT of the page's; `false` when that was a violation. */
  grant(bytes: number): boolean {
    if (this.#state === 'open') this.#timer?.refresh();
    return this.#reader.grant(bytes);
  }

  /** Ends both directions at once, and tells the page. */
  reset(code: ResetCodeNumber, reason = ''): void {
    if (this.#state === 'over') return;
    this.#context.outbox.sendControl(encodeReset({ stream: this.number, code, reason }));
    this.abandon(code, reason);
  }

  /** Ends both directions at once; the page knows, or is gone. */
  abandon(code: ResetCodeNumber | undefined, reason = ''): void {
    if (this.#state === 'over') return;
    // Over first: a socket tells its errors while it is reset.
    this.#finish(code, reason);
    if (this.#socket) resetTarget(this.#socket);
  }

  #onConnected(socket: Socket, startedAt: number): void {
    socket.on('end', () => this.#onEnd());
    socket.on('error', error => this.#onError(error));
    socket.on('close', () => this.#onClose());
    if (this.#state === 'over') {
      resetTarget(socket);
      return;
    }
    this.#state = 'open';
    this.#socket = socket;
    const { settings, connection, outbox } = this.#context;
    settings.log({
      type: 'stream-opened',
      connection,
      stream: this.number,
      target: this.#target ?? '',
      durationMs: Math.round(performance.now() - startedAt),
    });
    if (settings.idleTimeoutMs > 0)
      this.#timer = setTimeout(() => this.reset(ResetCode.idle), settings.idleTimeoutMs);
    outbox.sendControl(encodeOpened(this.number));
    if (this.#gate) return;
    if (!this.#reader.start()) socket.pause();
    this.#writer.start(socket);
  }

  #onBytes(bytes: Uint8Array): boolean {
    if (this.#state !== 'open') return true;
    if (this.#gate) {
      this.reset(ResetCode.notTls, 'the target spoke first');
      return true;
    }
    this.#timer?.refresh();
    return this.#reader.read(bytes);
  }

  #onEnd(): void {
    if (this.#state !== 'open') return;
    if (this.#writeFailure) {
      this.#onError(this.#writeFailure);
      return;
    }
    this.#targetEnded = true;
    this.#reader.flush(() => {
      this.#endSent = true;
      this.#context.outbox.sendControl(encodeEnd(this.number));
      if (this.#socketClosed) this.#finish(undefined, '');
    });
  }

  #onError(error: NodeJS.ErrnoException): void {
    if (this.#state === 'open') this.#resetByTarget(error.code ?? '');
  }

  /** What the target said before goes to the page first; its end follows. */
  #onWriteFailed(error: NodeJS.ErrnoException): void {
    this.#writeFailure = error;
    if (this.#targetEnded) this.#onError(error);
  }

  /** After orderly ends of both sides, or after a failure. */
  #onClose(): void {
    this.#socketClosed = true;
    if (this.#state !== 'open') return;
    if (!this.#writer.hasEnded || !this.#targetEnded) this.#resetByTarget('');
    else if (this.#endSent) this.#finish(undefined, '');
  }

  #resetByTarget(reason: string): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#writer.discard();
    this.#reader.flush(() => this.reset(ResetCode.targetReset, reason));
  }

  #finish(code: ResetCodeNumber | undefined, reason: string): void {
    this.#state = 'over';
    clearTimeout(this.#timer);
    this.#aborted.abort(OVER);
    this.#writer.discard();
    this.#reader.discard();
    this.#logClosed(code, reason);
    this.#context.onEnded(this);
  }

  #logClosed(code: ResetCodeNumber | undefined, reason: string): void {
    const { settings, connection } = this.#context;
    settings.log({
      type: 'stream-closed',
      connection,
      stream: this.number,
      ...(this.#target === undefined ? {} : { target: this.#target }),
      ...(this.#denied === undefined ? {} : { denied: this.#denied }),
      ...(code === undefined ? {} : { code, reason }),
      bytesFromPage: this.bytesFromPage,
      bytesFromTarget: this.bytesFromTarget,
      durationMs: Math.round(performance.now() - this.#startedAt),
    });
  }
}
