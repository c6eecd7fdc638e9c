import { afterEach, expect, it, vi } from 'vitest';
import { freeMemory } from '../../../src/util/free-memory.js';
import { countFreed } from '../../support/freed-memory.js';

const arrays = () => [new Uint8Array(10_000).subarray(5), new Uint8Array(100), new Uint8Array(20_000)];
const lengths = (of: readonly Uint8Array[]) => of.map(({ buffer }) => buffer.byteLength);

afterEach(() => vi.unstubAllGlobals());

it('sends large memory nowhere in Chromium, all in one message', () => {
  vi.stubGlobal('navigator', { userAgentData: {} });
  const sent = vi.spyOn(MessagePort.prototype, 'postMessage');
  const freed = arrays();
  freeMemory(freed);
  expect(lengths(freed)).toEqual([0, 100, 0]);
  freeMemory([new Uint8Array(100)]);
  freeMemory([]);
  freeMemory(arrays());
  expect(sent).toHaveBeenCalledTimes(2);
  sent.mockRestore();
});

it('transfers large memory away elsewhere, and does nothing where that is not possible', () => {
  vi.stubGlobal('navigator', undefined);
  const { buffers } = countFreed();
  const freed = arrays();
  freeMemory(freed);
  expect(lengths(freed)).toEqual([0, 100, 0]);
  expect(buffers).toEqual([10_000, 20_000]);
  Object.defineProperty(ArrayBuffer.prototype, 'transfer', { value: undefined, configurable: true });
  const kept = arrays();
  freeMemory(kept);
  expect(lengths(kept)).toEqual([10_000, 100, 20_000]);
});
