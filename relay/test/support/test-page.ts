import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import {
  decodeFrame,
  encodeCredit,
  encodeData,
  encodeEnd,
  encodeHello,
  encodeOpen,
  encodePong,
  type Frame,
  type HelloFrame,
  type ResetFrame,
  SOCKET,
  type WelcomeFrame,
} from '../../../src/tunnel/wire/frames.js';
import { MAX_SOCKET_WINDOW_BYTES, MAX_WINDOW_BYTES } from '../../../src/tunnel/wire/limits.js';
import type { Relay } from '../../src/index.js';
import { ORIGIN, until } from './harness.js';

export interface TestPageOptions {
  hello?: Partial<HelloFrame>;
  /** Whether to grant credit for what comes: for the socket, and for its stream. Default both. */
  grantsSocket?: boolean;
  grantsStreams?: boolean;
  /** Whether to answer PING. Default true. */
  answersPing?: boolean;
  /** Default 127.0.0.1. */
  localAddress?: string;
}

export const HELLO: Omit<HelloFrame, 'type'> = {
  version: 2,
  socketWindowBytes: MAX_SOCKET_WINDOW_BYTES,
  streamWindowBytes: MAX_WINDOW_BYTES,
  token: '',
};

/** A page that speaks the wire format message by message. */
export class TestPage {
  readonly webSocket: WebSocket;
  /** All that came but DATA, in order. */
  readonly frames: Frame[] = [];
  readonly #messages = new Map<number, Buffer[]>();
  readonly #options: TestPageOptions;

  private constructor(webSocket: WebSocket, options: TestPageOptions) {
    this.webSocket = webSocket;
    this.#options = options;
    webSocket.on('error', () => {});
    webSocket.on('message', data => this.#onMessage(data as Buffer));
  }

  /** Opens a WebSocket, and says HELLO at once unless `hello` is `undefined` explicitly. */
  static async open(relay: Pick<Relay, 'url'>, options: TestPageOptions = {}): Promise<TestPage> {
    const page = await TestPage.openSilent(relay, options);
    page.send(encodeHello({ ...HELLO, ...options.hello }));
    return page;
  }

  /** Opens a WebSocket, and says nothing. */
  static async openSilent(relay: Pick<Relay, 'url'>, options: TestPageOptions = {}): Promise<TestPage> {
    const { localAddress = '127.0.0.1' } = options;
    const webSocket = new WebSocket(relay.url, 'browser-mtls.v2', { origin: ORIGIN, localAddress });
    onTestFinished(() => webSocket.terminate());
    const page = new TestPage(webSocket, options);
    await once(webSocket, 'open');
    return page;
  }

  send(...messages: (Uint8Array | string)[]): void {
    for (const message of messages) this.webSocket.send(message);
  }

  open(stream: number, port: number, hostname = '127.0.0.1'): void {
    this.send(encodeOpen({ stream, hostname, port }));
  }

  /** DATA in messages of the given size at most. */
  write(stream: number, bytes: Uint8Array | string, messageBytes = 65_536): void {
    const all = Buffer.from(bytes);
    for (let at = 0; at < all.length; at += messageBytes)
      this.send(encodeData(stream, all.subarray(at, at + messageBytes)));
  }

  end(stream: number): void {
    this.send(encodeEnd(stream));
  }

  /** Payloads of a stream, one for each message. */
  messages(stream: number): Buffer[] {
    return this.#messages.get(stream) ?? [];
  }

  received(stream: number): Buffer {
    return Buffer.concat(this.messages(stream));
  }

  receivedBytes(stream: number): number {
    return this.messages(stream).reduce((sum, { length }) => sum + length, 0);
  }

  frame<Type extends Frame['type']>(type: Type, stream?: number): Extract<Frame, { type: Type }> | undefined {
    return this.frames.find(
      (frame): frame is Extract<Frame, { type: Type }> =>
        frame.type === type && (stream === undefined || ('stream' in frame && frame.stream === stream)),
    );
  }

  async welcome(): Promise<WelcomeFrame> {
    await until(() => this.frame('welcome') !== undefined);
    return this.frame('welcome') as WelcomeFrame;
  }

  async opened(stream: number): Promise<void> {
    await until(() => this.frame('opened', stream) !== undefined);
  }

  async ended(stream: number): Promise<void> {
    await until(() => this.frame('end', stream) !== undefined);
  }

  async reset(stream: number): Promise<ResetFrame> {
    await until(() => this.frame('reset', stream) !== undefined);
    return this.frame('reset', stream) as ResetFrame;
  }

  /** The code and reason that the relay closes with. */
  async closed(): Promise<{ code: number; reason: string }> {
    const [code, reason] = await once(this.webSocket, 'close');
    return { code, reason: String(reason) };
  }

  #onMessage(message: Buffer): void {
    const frame = decodeFrame(message);
    if (!frame) throw new Error('the relay sent a malformed message');
    if (frame.type !== 'data') {
      this.frames.push(frame);
      if (frame.type === 'ping' && this.#options.answersPing !== false) this.send(encodePong(frame.nonce));
      return;
    }
    const { stream, payload } = frame;
    const messages = this.#messages.get(stream) ?? [];
    this.#messages.set(stream, messages);
    messages.push(Buffer.from(payload));
    if (this.#options.grantsSocket !== false) this.send(encodeCredit(SOCKET, payload.length));
    if (this.#options.grantsStreams !== false) this.send(encodeCredit(stream, payload.length));
  }
}
