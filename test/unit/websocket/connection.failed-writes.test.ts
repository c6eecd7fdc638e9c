import { describe, expect, it } from 'vitest';
import { MtlsError } from '../../../src/errors.js';
import { StreamChannel } from '../../../src/http/connection/stream-channel.js';
import { Opcode } from '../../../src/websocket/codes.js';
import { WebSocketConnection, type WebSocketEnd } from '../../../src/websocket/connection.js';
import { closeFrame, frame } from './support/servers.js';

const broken = new MtlsError('ERR_TLS_TRUNCATED', 'The connection was cut.');

/** What the page is told when the server says so much, and hangs up while the page sends. */
async function toldOf(words: Uint8Array[]): Promise<{ messages: unknown[]; end: WebSocketEnd }> {
  const left = [...words];
  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // As decryption takes its time.
        await new Promise(resolve => setTimeout(resolve, 5));
        const next = left.shift();
        if (next) controller.enqueue(next);
        else controller.error(broken);
      },
    },
    { highWaterMark: 0 },
  );
  const writable = new WritableStream<Uint8Array>({ write: () => Promise.reject(broken) });
  const messages: unknown[] = [];
  const end = await new Promise<WebSocketEnd>(resolve => {
    const stream = { rest: new Uint8Array(0), channel: new StreamChannel({ readable, writable }) };
    const listener = {
      onMessage: (data: unknown) => void messages.push(data),
      onSent: () => {},
      onClosing: () => {},
      onEnd: resolve,
    };
    const connection = new WebSocketConnection(stream, listener, 1_000_000);
    connection.start();
    connection.send(Opcode.text, new TextEncoder().encode('hello'));
  });
  return { messages, end };
}

describe('a server that hangs up while the page sends', () => {
  it('has its last messages delivered', async () => {
    const { messages, end } = await toldOf([frame(0x81, 'one'), frame(0x81, 'two')]);
    expect(messages).toEqual(['one', 'two']);
    expect(end).toEqual({ code: 1006, reason: '', wasClean: false, error: broken });
  });

  it('has its reason told', async () => {
    const { messages, end } = await toldOf([frame(0x81, 'one'), closeFrame(1009, 'too much')]);
    expect(messages).toEqual(['one']);
    expect(end).toEqual({ code: 1009, reason: 'too much', wasClean: false, error: broken });
  });
});
