import { onTestFinished } from 'vitest';

/** Until the test ends, `ArrayBuffer.prototype.transfer` takes memory away, also where the platform has none. Counts it. */
export function countFreed(): { buffers: number[]; bytes(): number } {
  const buffers: number[] = [];
  const prototype: ArrayBuffer & { transfer?: unknown } = ArrayBuffer.prototype;
  const own = Object.getOwnPropertyDescriptor(prototype, 'transfer');
  const transfer = function (this: ArrayBuffer) {
    buffers.push(this.byteLength);
    // Whoever still reads it finds no bytes.
    structuredClone(undefined, { transfer: [this] });
  };
  Object.defineProperty(prototype, 'transfer', { value: transfer, configurable: true });
  onTestFinished(() => {
    delete prototype.transfer;
    if (own) Object.defineProperty(prototype, 'transfer', own);
  });
  return { buffers, bytes: () => buffers.reduce((sum, length) => sum + length, 0) };
}
