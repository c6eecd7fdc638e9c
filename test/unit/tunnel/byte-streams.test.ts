import { describe, expect, onTestFinished, test } from 'vitest';
import type { DirectStream } from '../../../src/tunnel/direct-writer.js';
import { ResetCode } from '../../../src/tunnel/wire/codes.js';
import { encodeData, encodeEnd, encodeOpened, encodeReset } from '../../../src/tunnel/wire/frames.js';
import { ADDRESS, openTunnel, sleep, startScriptedRelay } from './support/scripted-relay.js';

test('the memory of a large message is freed when it has been read, and no memory that others share', async () => {
  const prototype: ArrayBuffer & { transfer?: unknown } = ArrayBuffer.prototype;
  const own = Object.getOwnPropertyDescriptor(prototype, 'transfer');
  const freed: number[] = [];
  const transfer = function (this: ArrayBuffer) {
    freed.push(this.byteLength);
  };
  Object.defineProperty(prototype, 'transfer', { value: transfer, configurable: true });
  onTestFinished(() => {
    delete prototype.transfer;
    if (own) Object.defineProperty(prototype, 'transfer', own);
  });

  const { url } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type !== 'open') return;
    page.send(encodeOpened(1), encodeData(1, new Uint8Array(100_000)));
    for (let count = 0; count < 20; count++) page.send(encodeData(1, new Uint8Array(1_000)));
  });
  const { readable, direct }: DirectStream = await openTunnel(url).connect(ADDRESS);
  const reader = readable.getReader();
  for (let bytes = 0; bytes < 120_000; ) {
    const { value = new Uint8Array(0) } = await reader.read();
    bytes += value.length;
    direct?.free(value);
    direct?.free(value.subarray(1));
  }
  expect(freed).toEqual([100_005]);
});

describe('reads in place of the readable', () => {
  async function open(signal?: AbortSignal) {
    const { url, page } = await startScriptedRelay();
    const stream: DirectStream = await openTunnel(url).connect(ADDRESS, signal ? { signal } : {});
    await expect.poll(() => page().of('open').length).toBe(1);
    const reader = stream.readable.getReader();
    reader.closed.catch(() => {});
    const read = () => stream.read?.() as Promise<ReadableStreamReadResult<Uint8Array>>;
    const data = (...bytes: number[]) => page().send(encodeData(1, Uint8Array.from(bytes)));
    return { read, reader, stream, page, data };
  }

  test('get its chunks in order, those that wait as well, and its end', async () => {
    const { read, page, data } = await open();
    const waiting = [read(), read(), read()];
    data(1);
    data(2);
    page().send(encodeEnd(1));
    const end = { done: true, value: undefined };
    expect(await Promise.all(waiting)).toEqual([
      { done: false, value: Uint8Array.of(1) },
      { done: false, value: Uint8Array.of(2) },
      end,
    ]);
    expect(await read()).toEqual(end);
  });

  test('get what came before a failure, and then the failure', async () => {
    const { read, page, data } = await open();
    data(1, 2);
    page().send(encodeReset({ stream: 1, code: ResetCode.targetReset, reason: '' }));
    await sleep(50);
    expect(await read()).toEqual({ done: false, value: Uint8Array.of(1, 2) });
    for (let count = 0; count < 2; count++)
      await expect(read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_RESET' });
  });

  test('are over when the stream is given up', async () => {
    const { read, reader } = await open();
    const waiting = read();
    await reader.cancel();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
    const controller = new AbortController();
    const { read: readOther } = await open(controller.signal);
    const other = readOther();
    controller.abort(new Error('enough'));
    await expect(other).rejects.toThrow('enough');
  });

  test('give credit back for what they take', async () => {
    const { read, page } = await open();
    for (let count = 0; count < 3; count++) {
      page().send(encodeData(1, new Uint8Array(200_000)));
      await read();
    }
    await expect
      .poll(() =>
        page()
          .of('credit')
          .some(it => it.stream === 1),
      )
      .toBe(true);
  });
});
