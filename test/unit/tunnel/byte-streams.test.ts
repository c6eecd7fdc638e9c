import { expect, onTestFinished, test } from 'vitest';
import type { DirectStream } from '../../../src/tunnel/direct-writer.js';
import { encodeData, encodeOpened } from '../../../src/tunnel/wire/frames.js';
import { ADDRESS, openTunnel, startScriptedRelay } from './support/scripted-relay.js';

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
    expect(direct?.owns(value)).toBe(value.length === 100_000);
    expect(direct?.owns(value.subarray(1))).toBe(false);
    direct?.free(value);
    direct?.free(value.subarray(1));
  }
  expect(freed).toEqual([100_005]);
});
