import { MtlsError } from '../errors.js';
import type { UpgradedStream } from '../http/upgrade.js';
import { isBlob } from '../platform.js';
import { concatenated } from '../util/bytes.js';
import { Wakeup } from '../util/promises.js';
import { CloseCode, Opcode } from './codes.js';
import { encodeFrames, type OutgoingFrame } from './frame-writer.js';
import { FrameError } from './frames.js';
import { MessageReader } from './message-reader.js';

/** A message is sent in frames of no more, so that a pong need not wait for its end. */
const FRAME_BYTES = 64 * 1024;
/** So much is written at once. */
const WRITE_BYTES = 3 * FRAME_BYTES;
/** Writes that are sealed at once, and what a pong may wait for. */
const MAX_WRITES = 2;
/** How long the server may take to answer our Close, and then to end the connection. */
const CLOSE_TIMEOUT_MS = 10_000;
const LINGER_MS = 2_000;

/** How a WebSocket ended. */
export interface WebSocketEnd {
  code: number;
  reason: string;
  wasClean: boolean;
  /** Why it failed, if it did. */
  error?: unknown;
}

export interface WebSocketListener {
  onMessage(data: string | Uint8Array<ArrayBuffer>): void;
  /** So many bytes of messages have left. */
  onSent(bytes: number): void;
  /** The server has begun to close. */
  onClosing(): void;
  onEnd(end: WebSocketEnd): void;
}

interface Outgoing {
  opcode: number;
  payload: Uint8Array | Blob;
}

/** The protocol of an open WebSocket (RFC 6455 sections 5 to 7). */
export class WebSocketConnection {
  #stream: UpgradedStream;
  #listener: WebSocketListener;
  #messages: MessageReader;
  #queue: Outgoing[] = [];
  /** How much of the first of the queue has been sent. */
  #offset = 0;
  /** A ping that came later makes an earlier one's answer needless (RFC 6455 section 5.5.3). */
  #pong: Uint8Array | undefined;
  #close: Uint8Array | undefined;
  #closeSent = false;
  #writeFailed = false;
  #peerClose: { code: number; reason: string } | undefined;
  #over = false;
  #writing = new Wakeup();
  /** Until the server's end of the connection, also when nobody wants to know any longer. */
  #reading: Promise<void> | undefined;
  #written: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: UpgradedStream, listener: WebSocketListener, maxMessageBytes: number) {
    this.#stream = stream;
    this.#listener = listener;
    const reader = {
      onMessage: (data: string | Uint8Array<ArrayBuffer>) => {
        if (!this.#over) listener.onMessage(data);
      },
      onPing: (payload: Uint8Array) => {
        this.#pong = payload;
        this.#writing.wake();
      },
      onClose: (code: number, reason: string) => this.#onPeerClose(code, reason),
    };
    this.#messages = new MessageReader(reader, maxMessageBytes);
  }

  start(): void {
    this.#receive(this.#stream.rest);
    this.#reading = this.#readAll();
    this.#reading.catch(error => this.#fail(error));
    this.#written = this.#writeAll();
    this.#written.catch(error => this.#onWriteFailed(error));
  }

  /** `payload` is not changed by anybody from now on. */
  send(opcode: number, payload: Uint8Array | Blob): void {
    this.#queue.push({ opcode, payload });
    this.#writing.wake();
  }

  /** Begins to close, behind what has been sent. Without a code the server is told none. */
  close(code: number | undefined, reason: Uint8Array): void {
    if (this.#close) return;
    this.#close = closePayload(code, reason);
    this.#writing.wake();
  }

  /** Fails the connection; the server is told the code if it takes it at once. */
  abort(error: unknown, code?: number): void {
    this.#fail(error, code);
  }

  async #readAll(): Promise<void> {
    const sink = {
      target: () => undefined,
      data: (pieces: readonly Uint8Array[]) => {
        for (const piece of pieces) this.#receive(piece);
      },
    };
    while (await this.#stream.channel.receive(sink));
    this.#onStreamEnd();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#over) return;
    try {
      this.#messages.receive(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  #onStreamEnd(): void {
    if (this.#over) return;
    if (this.#peerClose && this.#closeSent) this.#finish();
    else this.#fail(closedError('The server ended the connection without closing the WebSocket.'));
  }

  #onPeerClose(code: number, reason: string): void {
    if (this.#over) return;
    this.#peerClose = { code, reason };
    // What is still queued the server would not read.
    this.#queue = [];
    this.#offset = 0;
    this.#close ??= closePayload(code === CloseCode.noStatus ? undefined : code, new Uint8Array(0));
    this.#startTimer(CLOSE_TIMEOUT_MS);
    this.#listener.onClosing();
    this.#complete();
    this.#writing.wake();
  }

  async #writeAll(): Promise<void> {
    const { channel } = this.#stream;
    const writes: Promise<void>[] = [];
    while (!this.#over && !this.#writeFailed) {
      if (!this.#pong && this.#queue.length === 0 && !this.#close) {
        await this.#writing.wait();
        continue;
      }
      if (!channel.hasRoom()) await channel.untilWritable();
      if (isBlob(this.#queue[0]?.payload)) await this.#resolveBlob();
      if (this.#over) return;
      const { frames, bytes, close } = this.#gather();
      // With something in the queue, it is a Blob that came while another was read.
      if (frames.length === 0) continue;
      const write = this.#write(frames).then(() => {
        if (bytes) this.#listener.onSent(bytes);
        if (close) this.#onCloseSent();
      });
      write.catch(error => this.#onWriteFailed(error));
      if (writes.push(write) === MAX_WRITES) await writes.shift();
      if (close) break;
    }
    await Promise.all(writes);
  }

  #write(frames: readonly OutgoingFrame[]): Promise<void> {
    return this.#stream.channel.send({ target: undefined, take: use => use([encodeFrames(frames)]) });
  }

  async #resolveBlob(): Promise<void> {
    const [first] = this.#queue;
    if (!first || !isBlob(first.payload)) return;
    first.payload = new Uint8Array(await first.payload.arrayBuffer());
  }

  /** What goes out next, frames together. */
  #gather(): { frames: OutgoingFrame[]; bytes: number; close: boolean } {
    const frames: OutgoingFrame[] = [];
    let bytes = 0;
    if (this.#pong) frames.push({ opcode: Opcode.pong, payload: this.#pong });
    this.#pong = undefined;
    for (let next = this.#nextFrame(0); next; next = this.#nextFrame(bytes)) {
      frames.push(next);
      bytes += next.payload.length;
    }
    const close = this.#close !== undefined && this.#queue.length === 0;
    if (close && this.#close) frames.push({ opcode: Opcode.close, payload: this.#close });
    return { frames, bytes, close };
  }

  /** `before` is what goes out before it. */
  #nextFrame(before: number): OutgoingFrame | undefined {
    const [first] = this.#queue;
    if (!first || isBlob(first.payload)) return undefined;
    const opcode = this.#offset === 0 ? first.opcode : Opcode.continuation;
    const payload = first.payload.subarray(this.#offset, this.#offset + FRAME_BYTES);
    if (before > 0 && before + payload.length > WRITE_BYTES) return undefined;
    this.#offset += payload.length;
    const final = this.#offset === first.payload.length;
    if (final) {
      this.#queue.shift();
      this.#offset = 0;
    }
    return { opcode, payload, final };
  }

  /** The server may have said why before it stopped reading, and that is read first; then the end shows there as well. */
  #onWriteFailed(error: unknown): void {
    if (this.#over || this.#writeFailed) return;
    this.#writeFailed = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(error), LINGER_MS);
  }

  #onCloseSent(): void {
    this.#closeSent = true;
    if (!this.#peerClose) this.#startTimer(CLOSE_TIMEOUT_MS);
    this.#complete();
  }

  /** Both have said Close: now the server ends the connection (RFC 6455 section 7.1.1). */
  #complete(): void {
    if (this.#peerClose && this.#closeSent && !this.#over) this.#startTimer(LINGER_MS);
  }

  #startTimer(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#peerClose && this.#closeSent) this.#finish();
      else this.#fail(closedError('The server did not take part in closing the WebSocket.'));
    }, timeoutMs);
  }

  #finish(): void {
    if (this.#over || !this.#peerClose) return;
    this.#end();
    this.#hangUp(this.#stream.channel.close());
    this.#listener.onEnd({ ...this.#peerClose, wasClean: true });
  }

  #fail(cause: unknown, closeCode?: number): void {
    if (this.#over) return;
    // Once both have said Close, it does not matter how the connection ends.
    if (this.#peerClose && this.#closeSent && closeCode === undefined) {
      this.#finish();
      return;
    }
    this.#end();
    const code = cause instanceof FrameError ? cause.closeCode : closeCode;
    if (code === undefined || this.#closeSent) this.#hangUp(Promise.reject(cause));
    else this.#hangUp(this.#sendLast(code));
    const error = cause instanceof FrameError ? protocolFailure(cause) : cause;
    // Of a server's Close that could not be answered any more, its code is told (RFC 6455 section 7.1.5).
    const told = this.#peerClose ?? { code: CloseCode.abnormal, reason: '' };
    this.#listener.onEnd({ ...told, wasClean: false, error });
  }

  /** Behind what is being sent. */
  async #sendLast(code: number): Promise<void> {
    const { channel } = this.#stream;
    await this.#written;
    await channel.untilWritable();
    await this.#write([{ opcode: Opcode.close, payload: closePayload(code, new Uint8Array(0)) }]);
    await channel.close();
  }

  #end(): void {
    this.#over = true;
    this.#queue = [];
    clearTimeout(this.#timer);
    this.#writing.wake();
  }

  /**
   * Gives the connection up when the last words have gone, and the server has ended its side: bytes that are on their way out may be lost
   * by that. Or when they do not go.
   */
  #hangUp(lastWords: Promise<void>): void {
    const giveUp = () => {
      clearTimeout(timer);
      this.#stream.channel.abort(undefined);
    };
    const timer = setTimeout(giveUp, LINGER_MS);
    lastWords.then(() => (this.#reading ??= this.#readAll())).then(giveUp, giveUp);
  }
}

function closePayload(code: number | undefined, reason: Uint8Array): Uint8Array {
  if (code === undefined) return new Uint8Array(0);
  return concatenated([Uint8Array.of(code >> 8, code & 0xff), reason]);
}

function closedError(message: string): MtlsError {
  return new MtlsError('ERR_WEBSOCKET_CLOSED', message);
}

function protocolFailure({ closeCode, message }: FrameError): MtlsError {
  const code = closeCode === CloseCode.tooBig ? 'ERR_WEBSOCKET_TOO_LARGE' : 'ERR_WEBSOCKET_PROTOCOL';
  return new MtlsError(code, `WebSocket: ${message}.`);
}
